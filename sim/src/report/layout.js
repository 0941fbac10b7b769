// Where everything stands. One column for each entry, in order; the columns of a step stand close together.

const run = JSON.parse(document.getElementById("run").textContent);
const { lanes, entries, attempts, outages } = run;
const broken = run.broken ?? -1;

const AXIS_HEIGHT = 38;
const HEIGHTS = { world: 72, engine: 40, worker: 30 };

// The middle of each lane, from the top of the drawing.
const middles = [];
let drawingHeight = 0;
for (const lane of lanes) {
  const height = HEIGHTS[lane.kind] ?? 34;
  middles.push(drawingHeight + height / 2);
  drawingHeight += height;
}

// How often each event has changed, and its entries.
const lives = new Map();
entries.forEach((entry, at) => {
  if (entry.event === undefined) return;
  if (!lives.has(entry.event)) lives.set(entry.event, []);
  lives.get(entry.event).push(at);
});

// A time in the unit that suits it.
function duration(micros) {
  const [by, unit] = micros < 1000 ? [1, "µs"] : micros < 1000000 ? [1000, "ms"] : [1000000, "s"];
  return `${Math.floor(micros / by * 1000) / 1000} ${unit}`;
}

// Columns of entries: `zoom` stretches them, `gaps` lets time that passes take room, by its logarithm.
function columns(zoom, gaps) {
  const xs = [];
  let x = 14;
  entries.forEach((entry, at) => {
    const before = entries[at - 1];
    if (before) {
      x += (before.step === entry.step ? 15 : 24) * zoom;
      const passed = entry.at - before.at;
      if (gaps && passed > 0) x += Math.min(12 * Math.log2(1 + passed / 500), 240) * zoom;
    }
    xs.push(x);
  });
  // The names of the last faults must fit in, too.
  const ends = entries.map((entry, at) => (entry.what === "fault" ? xs[at] + flagWidth(entry) : 0));
  return { xs, width: Math.max(x + 60, ...ends) };
}

// The room that the name of a fault takes.
const flagWidth = (entry) => entry.note.length * 5.6 + 14;

// Runs of entries of one step: first and last.
const steps = [];
entries.forEach((entry, at) => {
  const last = steps[steps.length - 1];
  if (last && entries[last.first].step === entry.step) last.last = at;
  else steps.push({ first: at, last: at });
});
