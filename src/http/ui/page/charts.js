// Curves over the last five minutes, drawn by uPlot, which is a script of its own.

import { byId, el, say } from './dom.js';
import { KEPT } from './numbers.js';

const HEIGHT = 168;
const LINES = [[], [6, 4], [2, 3]];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const series = ({ label }, index) => ({
  label,
  stroke: () => color(`--curve-${index + 1}`),
  dash: LINES[index],
  width: 2,
  points: { show: false },
});

// Gives a quiet server a scale, too.
const fromZero = (_, __, most) => [0, most > 0 ? most * 1.1 : 1];

const axis = (more) => ({
  stroke: () => color('--quiet'),
  grid: { stroke: () => color('--line'), width: 1 },
  ticks: { show: false },
  font: '12px system-ui, sans-serif',
  ...more,
});

const clock = (_, values) => values.map((at) => new Date(at * 1000).toLocaleTimeString([], { timeStyle: 'medium' }));

function options(curves, width, words) {
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { range: fromZero } },
    axes: [
      axis({ values: clock, size: 28, space: 110 }),
      axis({ values: (_, values) => values.map(words), size: 60, space: 36 }),
    ],
    series: [{}, ...curves.map(series)],
  };
}

export class Chart {
  #curves;
  #words;
  #data;
  #plot;
  #values = [];
  #host;

  // `curves` have a label each; `words` turns a value into text.
  constructor(id, curves, words) {
    this.#curves = curves;
    this.#words = words;
    this.#data = [[], ...curves.map(() => [])];
    this.#host = byId(id);
    this.#legend(byId(`${id}-legend`));
    this.#plot = new globalThis.uPlot(options(curves, this.#host.clientWidth, words), this.#data, this.#host);
    new ResizeObserver(() => this.#fit()).observe(this.#host);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#plot.redraw());
  }

  #legend(host) {
    this.#values = this.#curves.map(({ stat }) => el('b', { data: stat ? { stat } : {} }, '–'));
    const entry = ({ label }, index) =>
      el('li', {}, el('i', { class: `curve curve-${index + 1}` }), `${label} `, this.#values[index]);
    host.replaceChildren(...this.#curves.map(entry));
  }

  #fit() {
    // A view that is hidden has no width.
    const width = this.#host.clientWidth;
    if (width > 0) this.#plot.setSize({ width, height: HEIGHT });
  }

  add(time, values) {
    this.#data[0].push(time / 1000);
    values.forEach((value, index) => this.#data[index + 1].push(value === null ? null : Number(value)));
    if (this.#data[0].length > KEPT) this.#data.forEach((column) => column.shift());
    this.#plot.setData(this.#data);
    values.forEach((value, index) => say(this.#values[index], this.#words(value)));
    const text = this.#curves.map(({ label }, index) => `${label} ${this.#words(values[index])}`).join(', ');
    this.#host.setAttribute('aria-label', text);
  }
}
