// The numbers of now, their curves, records by status, groups that are paused, and targets.

import { call, read } from './api.js';
import { Chart } from './charts.js';
import { attempt } from './change.js';
import { button, byId, el, render, say } from './dom.js';
import { at } from './numbers.js';
import { STATUSES, counted, duration, firstLine, grouped, rate, statusName, time } from './words.js';

const QUEUES = [
  { label: 'In the channel', stat: 'queue_channel_depth' },
  { label: 'Queued', stat: 'backlog_queued' },
  { label: 'In flight', stat: 'processing_inflight' },
];

export class Overview {
  #samples;
  #charts;
  #access;
  #targetsAt = 0;

  constructor(samples, access) {
    this.#samples = samples;
    this.#access = access;
    this.#charts = {
      throughput: new Chart('throughput', ['Accepted', 'Completed', 'Failed'].map((label) => ({ label })), perSecond),
      latency: new Chart('latency', [{ label: 'Half within' }, { label: '99 % within' }], duration),
      queues: new Chart('queues', QUEUES, grouped),
    };
  }

  show(stats, now) {
    this.#curves(stats, now);
    document.querySelectorAll('[data-stat]').forEach((place) => say(place, grouped(at(stats, place.dataset.stat))));
    bars(stats.records);
    this.#groups(Object.keys(stats.paused_groups ?? {}));
    everything(stats);
    if (now - this.#targetsAt >= TARGETS_MS) {
      this.#targetsAt = now;
      this.#targets();
    }
  }

  #curves(stats, now) {
    const happened = ['events_accepted_total', 'attempts_finished_total.done', 'attempts_finished_total.failed'];
    const rates = happened.map((place) => this.#samples.rate(place));
    const within = [0.5, 0.99].map((part) => this.#samples.quantile('end_to_end_seconds', part));
    this.#charts.throughput.add(now, rates);
    this.#charts.latency.add(now, within);
    this.#charts.queues.add(now, QUEUES.map(({ stat }) => stats[stat]));
    say(byId('rate-accepted'), rate(rates[0]));
    say(byId('rate-completed'), rate(rates[1]));
    say(byId('latency-half'), duration(within[0]));
    say(byId('latency-most'), duration(within[1]));
  }

  #groups(names) {
    byId('groups').hidden = names.length === 0;
    const resume = (group) => button('Resume', () => attempt(() => call('POST', 'v1/resume', { group }), `Resumed ${group}`));
    const row = (group) => el('li', { class: 'row' }, el('span', { class: 'key' }, group), this.#access.operates && resume(group));
    render(byId('groups-list'), JSON.stringify(names), () => names.slice(0, MOST_GROUPS).map(row));
    say(byId('groups-count'), names.length > MOST_GROUPS ? `${grouped(MOST_GROUPS)} of ${grouped(names.length)}` : '');
  }

  async #targets() {
    const { targets } = await read('v1/targets').catch(() => ({ targets: [] }));
    byId('targets').hidden = targets.length === 0;
    render(byId('targets-rows'), JSON.stringify(targets), () => targets.map((target) => this.#target(target)));
  }

  #target({ name, circuit, running, concurrency, waits, failures, open_since: since, next_probe: next, last_error: error }) {
    const close = () => attempt(() => call('POST', `v1/targets/${encodeURIComponent(name)}/close`), `Closed ${name}`);
    const isOpen = circuit === 'open';
    const times = isOpen ? `open since ${time(since)}, tried again at ${time(next)}` : 'closed';
    return el(
      'tr',
      {},
      cell('Target', el('span', { class: 'key' }, name)),
      cell('Circuit', el('span', { class: isOpen ? 'chip bad' : 'chip good' }, times)),
      cell('Running', concurrency ? `${grouped(running)} of ${grouped(concurrency)}` : grouped(running)),
      cell('Waits', grouped(waits)),
      cell('Last error', failures > 0 ? `${counted(failures, 'failure')}: ${firstLine(error)}` : '–'),
      el('td', {}, isOpen && this.#access.operates && button('Close', close)),
    );
  }
}

// Circuits change within seconds, not sooner.
const TARGETS_MS = 3000;
// As many names as can be read; there may be 10,000.
const MOST_GROUPS = 100;

const perSecond = (value) => `${rate(value)}/s`;
export const cell = (label, ...content) => el('td', { 'data-label': label }, ...content);

function bars(records) {
  const host = byId('records-rows');
  const row = (status) =>
    el(
      'tr',
      { 'data-status': status },
      el('th', { scope: 'row' }, statusName(status)),
      el('td', {}, el('meter', { min: 0, max: 1, 'aria-label': `part of all: ${statusName(status)}` })),
      el('td', { class: 'number', 'data-stat': `records.${status}` }),
    );
  render(host, 'rows', () => Object.keys(STATUSES).map(row));
  const counts = Object.keys(STATUSES).map((status) => Number(records[status]));
  const all = counts.reduce((sum, count) => sum + count, 0);
  host.querySelectorAll('meter').forEach((meter, index) => (meter.value = all === 0 ? 0 : counts[index] / all));
  host.querySelectorAll('[data-stat]').forEach((place) => say(place, grouped(at({ records }, place.dataset.stat))));
}

// Every number of the server under its own name, for those who know what they look for.
function everything(stats) {
  const host = byId('everything');
  if (!host.open) return;
  const places = Object.entries(stats).flatMap(([name, value]) => numbers(name, value));
  const row = ([place]) => el('tr', {}, el('th', { scope: 'row' }, place), el('td', { class: 'number', data: { everything: place } }));
  render(byId('everything-rows'), JSON.stringify(places.map(([place]) => place)), () => places.map(row));
  const cells = byId('everything-rows').querySelectorAll('[data-everything]');
  cells.forEach((place, index) => say(place, grouped(places[index][1])));
}

function numbers(name, value) {
  if (typeof value !== 'object') return [[name, value]];
  if (value.bucket) return [[`${name}.count`, value.count], [`${name}.sum`, value.sum]];
  return name === 'paused_groups' ? [] : Object.entries(value).map(([label, number]) => [`${name}.${label}`, number]);
}
