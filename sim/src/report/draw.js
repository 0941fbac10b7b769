// The drawing: lanes from top to bottom, columns from left to right.

const axis = document.getElementById("axis");
const drawing = document.getElementById("drawing");
const view = { zoom: 1, gaps: false, xs: [], picked: -1, event: null };
const SIGNS = { done: "✓", retry: "↻", snooze: "z", permanent: "✗", crashed: "!", dropped: "–", open: "…" };

function element(parent, name, attributes, text) {
  const made = document.createElementNS(drawing.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// What belongs to an event, so that its life can be shown alone.
function item(event) {
  return element(drawing, "g", { class: "item", "data-event": event ?? "" });
}

function draw() {
  const { xs, width } = columns(view.zoom, view.gaps);
  view.xs = xs;
  for (const [svg, height] of [[axis, AXIS_HEIGHT], [drawing, drawingHeight]]) {
    svg.replaceChildren();
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
  }
  drawGround(width);
  drawAxis();
  drawOutages();
  attempts.forEach(drawAttempt);
  entries.forEach(drawEntry);
  drawFlags();
  if (broken >= 0) drawBroken(width);
  showEvent();
  showPick();
}

function drawGround(width) {
  const defs = element(drawing, "defs", {});
  const hatch = element(defs, "pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  element(hatch, "line", { x1: 0, y1: 0, x2: 0, y2: 6, class: "hatch" });
  steps.forEach((step, number) => {
    if (number % 2) return;
    const [from, to] = edges(step.first, step.last);
    element(drawing, "rect", { class: "stripe", x: from, y: 0, width: to - from, height: drawingHeight });
  });
  middles.forEach((y) => element(drawing, "line", { class: "lane", x1: 0, x2: width, y1: y, y2: y }));
  element(drawing, "rect", { class: "pick", id: "pick", y: 0, height: drawingHeight, width: 0 });
}

// From half way to the column before, to half way to the column after.
function edges(first, last) {
  const { xs } = view;
  const left = first > 0 ? Math.max((xs[first - 1] + xs[first]) / 2, xs[first] - 12 * view.zoom) : 0;
  const right = last + 1 < xs.length ? Math.min((xs[last] + xs[last + 1]) / 2, xs[last] + 12 * view.zoom) : xs[last] + 12;
  return [left, right];
}

function drawAxis() {
  let timeRoom = 0;
  let stepRoom = 0;
  let shown = -1;
  for (const step of steps) {
    const { at, step: number } = entries[step.first];
    const x = view.xs[step.first];
    if (at !== shown && x >= timeRoom) {
      const text = duration(at);
      element(axis, "text", { x: x - 4, y: 14 }, text);
      timeRoom = x + text.length * 6.2 + 10;
      shown = at;
    }
    if (x >= stepRoom) {
      element(axis, "text", { x: x - 4, y: 31 }, String(number));
      stepRoom = x + String(number).length * 6.5 + 8;
    }
  }
}

// Outages of a lane may overlap; a name that has no room is left out.
function drawOutages() {
  const room = lanes.map(() => 0);
  outages.forEach((outage) => drawOutage(outage, room));
}

function drawOutage(outage, room) {
  const { xs } = view;
  const from = xs[outage.begin];
  const to = outage.end < xs.length ? xs[outage.end] : xs[xs.length - 1] + 14;
  for (const lane of outage.lanes) {
    const y = middles[lane];
    element(drawing, "rect", { class: "outage", x: from, y: y - 13, width: Math.max(to - from, 4), height: 26 });
    const width = outage.name.length * 6;
    if (to - from > width && from >= room[lane]) {
      room[lane] = from + width + 6;
      element(drawing, "text", { class: "outage-name halo", x: from + 3, y: y - 4 }, outage.name);
    }
  }
}

function bar(attempt) {
  const from = view.xs[attempt.begin];
  const to = attempt.end === null ? view.xs[view.xs.length - 1] + 14 : view.xs[attempt.end];
  return { x: from, y: middles[attempt.lane] - 9, width: Math.max(to - from, 8), height: 18 };
}

function drawAttempt(attempt) {
  const group = item(attempt.event);
  const box = bar(attempt);
  const fate = attempt.fate ?? "open";
  element(group, "rect", { class: `attempt ${fate}`, rx: 3, ...box });
  const whole = `${SIGNS[fate]} ${attempt.event}`;
  const text = box.width > whole.length * 7 + 14 ? whole : SIGNS[fate];
  const name = fate === "open" ? "attempt-name open-name" : "attempt-name";
  element(group, "text", { class: name, x: box.x + 4, y: box.y + 13 }, text);
  if (attempt.stale) {
    const y = box.y + box.height / 2;
    element(group, "line", { class: "struck", x1: box.x, x2: box.x + box.width, y1: y, y2: y });
  }
}

function drawEntry(entry, at) {
  const x = view.xs[at];
  const y = middles[entry.lane];
  if (entry.what === "message") drawArrow(entry, x, y, middles[entry.to]);
  if (entry.what === "begin") drawStart(entry, x, y);
  if (entry.what === "note") element(item(entry.event), "circle", { class: "note-mark", cx: x, cy: y, r: 3.5 });
}

function drawArrow(entry, x, from, to) {
  const group = item(entry.event);
  const inner = element(group, "g", { class: entry.verdict });
  const way = Math.sign(to - from) || 1;
  element(inner, "line", { class: "arrow", x1: x, x2: x, y1: from, y2: to - way * 7 });
  element(inner, "circle", { class: "dot", cx: x, cy: from, r: 2.2 });
  const refused = ["refused", "not_sent"].includes(entry.verdict);
  const tip = refused ? `M${x - 4} ${to - way * 9}l8 8m-8 0l8 -8` : `M${x - 4} ${to - way * 8}h8l-4 ${way * 7}z`;
  element(inner, "path", { class: "tip", d: refused && way < 0 ? `M${x - 4} ${to + 1}l8 8m-8 0l8 -8` : tip });
  if (entry.event !== undefined && view.zoom >= 0.8) {
    element(group, "text", { class: "halo", x: x + 2.5, y: from + way * 12 + 3 }, String(entry.event));
  }
}

// The dispatcher hands a run to a worker.
function drawStart(entry, x, y) {
  const from = lanes.findIndex((lane) => lane.kind === "dispatcher");
  if (from < 0) return;
  drawArrow({ ...entry, verdict: "sent" }, x, middles[from], y - 4);
}

// Faults by name in the lane of the world, in four rows, so that they overlap neither each other nor the marks. Those of
// other lanes have a mark above what else is there.
const FLAG_ROWS = [-23, -10, 19, 32];
function drawFlags() {
  const room = FLAG_ROWS.map(() => 0);
  entries.forEach((entry, at) => {
    if (entry.what !== "fault") return;
    const x = view.xs[at];
    const outside = lanes[entry.lane].kind === "world";
    const y = middles[entry.lane] - (outside ? 0 : 10);
    const group = item(entry.event);
    element(group, "path", { class: "flag-mark", d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` });
    if (!outside) return;
    element(group, "line", { class: "flag-line", x1: x, x2: x, y1: y, y2: drawingHeight });
    const row = room.findIndex((free) => free <= x);
    if (row < 0) return;
    room[row] = x + flagWidth(entry);
    element(group, "text", { class: "flag-name halo", x: x + 3, y: y + FLAG_ROWS[row] }, entry.note);
  });
}

function drawBroken(width) {
  const x = view.xs[broken];
  const [from, to] = edges(broken, broken);
  element(drawing, "rect", { class: "broken-box", x: from, y: 1, width: to - from, height: drawingHeight - 2 });
  element(drawing, "line", { class: "broken-line", x1: x, x2: x, y1: 0, y2: drawingHeight });
  const name = entries[broken].note.split(",")[0];
  const fits = x + 110 < width;
  const place = fits ? { x: x + 16 } : { x: x - 16, "text-anchor": "end" };
  element(drawing, "text", { class: "broken-name halo", y: middles[entries[broken].lane] - 8, ...place }, name);
}
