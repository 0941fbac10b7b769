// What is picked, what the panel says about it, and what clicks and keys do.

const timeline = document.getElementById("timeline");
const panel = document.getElementById("panel");
const table = document.getElementById("steps");
const events = document.getElementById("events");

function make(parent, name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  parent.append(made);
  return made;
}

function action(parent, text, act) {
  const made = make(parent, "button", text);
  made.type = "button";
  made.addEventListener("click", () => {
    act();
    // The button is gone with what the panel said before; the keys continue in the timeline.
    timeline.focus({ preventScroll: true });
  });
  return made;
}

function place(entry) {
  const from = lanes[entry.lane].name;
  return entry.to === undefined ? from : `${from} → ${lanes[entry.to].name}`;
}

// Everything about one entry.
function tellAbout(at) {
  const entry = entries[at];
  panel.replaceChildren();
  const moves = make(panel, "div", undefined, "moves");
  action(moves, "‹", () => pick(neighbour(-1))).setAttribute("aria-label", "the entry before");
  action(moves, "›", () => pick(neighbour(1))).setAttribute("aria-label", "the entry after");
  make(panel, "h2", `step ${entry.step}, ${duration(entry.at)}`);
  make(panel, "p", place(entry), "place");
  make(panel, "p", entry.note, `note ${entry.what}`);
  if (entry.event !== undefined) tellRecord(entry, at);
  tellList("In the same step", steps.find((step) => step.first <= at && at <= step.last), at);
  if (entry.event !== undefined) tellLife(entry.event, at);
}

function tellRecord(entry, at) {
  const list = make(panel, "dl");
  const before = lives.get(entry.event).filter((other) => other < at).pop();
  make(list, "dt", `record of event ${entry.event} after it`);
  make(list, "dd", entry.record ?? "none");
  if (before !== undefined && entries[before].record !== entry.record) {
    make(list, "dt", `before it, in step ${entries[before].step}`);
    make(list, "dd", entries[before].record ?? "none");
  }
}

function tellList(title, step, at) {
  if (step.first === step.last) return;
  make(panel, "h3", title);
  const list = make(panel, "ol");
  for (let other = step.first; other <= step.last; other++) tellLine(list, other, at);
}

function tellLife(event, at) {
  const life = lives.get(event);
  make(panel, "h3", `The life of event ${event}`);
  if (view.event !== event) action(panel, "show it alone", () => focusEvent(event));
  else action(panel, "show all events", () => focusEvent(null));
  const list = make(panel, "ol");
  life.forEach((other) => tellLine(list, other, at));
}

function tellLine(list, other, at) {
  const entry = entries[other];
  const line = action(make(list, "li"), "", () => pick(other));
  make(line, "small", `${entry.step} · ${place(entry)} `);
  line.append(entry.note);
  line.classList.toggle("now", other === at);
}

// The entry before or after the picked one, of the event that is shown.
function neighbour(way) {
  for (let at = view.picked + way; at >= 0 && at < entries.length; at += way) {
    if (view.event === null || entries[at].event === view.event || at === broken) return at;
  }
  return view.picked;
}

function pick(at, reveal = true) {
  if (!entries[at]) return;
  table.querySelector(".picked")?.classList.remove("picked");
  view.picked = at;
  document.getElementById(`r${at}`).classList.add("picked");
  showPick();
  tellAbout(at);
  if (reveal) showColumn(at);
  remember();
}

function showPick() {
  if (view.picked < 0) return;
  const [from, to] = edges(view.picked, view.picked);
  const mark = document.getElementById("pick");
  mark.setAttribute("x", from);
  mark.setAttribute("width", to - from);
}

function showColumn(at) {
  const names = document.getElementById("names").offsetWidth;
  const seen = timeline.clientWidth - names;
  const x = view.xs[at] - timeline.scrollLeft;
  if (x < 60 || x > seen - 60) timeline.scrollLeft = view.xs[at] - seen * 0.6;
}

function focusEvent(event) {
  view.event = event;
  events.value = event ?? "";
  showEvent();
  if (view.picked >= 0) tellAbout(view.picked);
  remember();
}

function showEvent() {
  const { event } = view;
  drawing.classList.toggle("focus", event !== null);
  table.classList.toggle("focus", event !== null);
  for (const one of drawing.querySelectorAll(".item")) one.classList.toggle("on", one.dataset.event === String(event));
  entries.forEach((entry, at) => {
    const shown = event !== null && (entry.event === event || at === broken);
    document.getElementById(`r${at}`).classList.toggle("on", shown);
  });
}

// The entry at a point of the drawing: that of its column, or the bar under it.
function entryAt(x, y) {
  let at = view.xs.findIndex((column) => column >= x);
  if (at < 0) at = entries.length - 1;
  if (at > 0 && x - view.xs[at - 1] < view.xs[at] - x) at -= 1;
  if (Math.abs(view.xs[at] - x) < 5) return at;
  const under = attempts.find((attempt) => {
    const box = bar(attempt);
    return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
  });
  return under ? under.begin : at;
}

function remember() {
  const parts = [`entry=${view.picked}`];
  if (view.event !== null) parts.push(`event=${view.event}`);
  if (view.gaps) parts.push("gaps");
  history.replaceState(null, "", `#${parts.join("&")}`);
}

// `#step=12`, `#entry=40`, `#event=3`, `#gaps`, or several of them.
function recall() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const step = entries.findIndex((entry) => entry.step === Number(wanted.get("step") ?? -1));
  const life = lives.get(Number(wanted.get("event") ?? -1));
  document.getElementById("gaps").checked = view.gaps = wanted.has("gaps");
  draw();
  focusEvent(life ? Number(wanted.get("event")) : null);
  const start = broken >= 0 ? broken : life ? life[0] : 0;
  const entry = Number(wanted.get("entry") ?? -1);
  pick(entries[entry] ? entry : step >= 0 ? step : start);
}

function stretch(by) {
  view.zoom = Math.min(4, Math.max(0.25, view.zoom * by));
  draw();
  if (view.picked >= 0) showColumn(view.picked);
}

function save() {
  const file = JSON.parse(document.getElementById("file").textContent);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.text], { type: "application/json" }));
  link.download = file.name;
  link.click();
}

const KEYS = {
  ArrowRight: () => pick(neighbour(1)),
  ArrowLeft: () => pick(neighbour(-1)),
  Home: () => pick(0),
  End: () => pick(entries.length - 1),
  Escape: () => focusEvent(null),
};

timeline.addEventListener("keydown", (press) => {
  const act = KEYS[press.key];
  if (!act || press.ctrlKey || press.metaKey || press.altKey) return;
  press.preventDefault();
  act();
});

drawing.addEventListener("click", (click) => pick(entryAt(click.offsetX, click.offsetY), false));
drawing.addEventListener("mousemove", (move) => tellAbout(entryAt(move.offsetX, move.offsetY)));
drawing.addEventListener("mouseleave", () => tellAbout(view.picked));

table.addEventListener("click", (click) => {
  const row = click.target.closest("tbody tr");
  if (!row) return;
  const event = click.target.closest(".event");
  if (event) focusEvent(Number(event.dataset.event));
  pick(Number(row.id.slice(1)));
});

events.addEventListener("change", () => focusEvent(events.value === "" ? null : Number(events.value)));
document.getElementById("gaps").addEventListener("change", (change) => {
  view.gaps = change.target.checked;
  stretch(1);
  remember();
});
document.getElementById("wider").addEventListener("click", () => stretch(1.4));
document.getElementById("narrower").addEventListener("click", () => stretch(1 / 1.4));
document.getElementById("to-broken").addEventListener("click", () => pick(broken));
document.getElementById("save").addEventListener("click", save);

function open() {
  for (const id of ["tools", "stage"]) document.getElementById(id).hidden = entries.length === 0;
  document.getElementById("to-broken").hidden = broken < 0;
  [...lives.keys()].sort((one, other) => one - other).forEach((event) => events.append(new Option(event, event)));
  const names = document.getElementById("names");
  lanes.forEach((lane, at) => make(names, "span", lane.name).style.top = `${middles[at]}px`);
  if (entries.length === 0) return;
  recall();
  window.addEventListener("hashchange", recall);
}

open();
