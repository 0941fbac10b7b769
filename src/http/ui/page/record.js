// One event: its state, why it is not running, its attempts with what the target said, its payload.

import { read } from './api.js';
import { DISCARD, REDRIVE, changeOne } from './change.js';
import { button, el } from './dom.js';
import { between, bytes, endName, firstLine, furtherLines, grouped, statusName, time } from './words.js';

const KINDS = { completed: 'good', failed: 'bad', failed_retry: 'warn', processing: 'busy' };

export const chip = (status) => el('span', { class: `chip ${KINDS[status] ?? ''}` }, statusName(status));

export const when = (text) => (text ? el('time', { datetime: text, title: text }, time(text)) : '–');

// An element for an event, which is read now. `changed` is called after it was redriven or discarded.
export function details(key, access, changed) {
  const host = el('div', { class: 'details' }, el('p', { class: 'quiet' }, 'Reading…'));
  const show = async () => {
    const record = await read('v1/event', { ...key, payload: true }).catch((refused) => ({ refused }));
    host.replaceChildren(...(record.refused ? [el('p', { class: 'bad' }, record.refused.message)] : whole(record, access, host, show, changed)));
  };
  show();
  return host;
}

function whole(record, access, host, show, changed) {
  const act = async (change) => {
    if (await changeOne(change, { id: record.id, source: record.source })) {
      await show();
      changed();
    }
  };
  return [
    el('div', { class: 'row' }, chip(record.status), el('span', { class: 'explained' }, record.explanation ?? ''), el('span', { class: 'row' }, ...actions(record, access, act))),
    facts(record),
    lastError(record),
    attempts(record),
    payload(record),
  ].filter(Boolean);
}

function actions({ status }, access, act) {
  if (!access.operates) return [];
  return [
    status === 'failed' && button('Redrive', () => act(REDRIVE), 'primary'),
    !['completed', 'discarded'].includes(status) && button('Discard…', () => act(DISCARD), 'danger'),
  ];
}

function facts(record) {
  const rows = [
    ['Id', record.id],
    ['Source', record.source || 'none'],
    ['Type', record.type],
    ['Group', record.group],
    ['Accepted', when(record.accepted_at)],
    ['Ended', record.terminal_at && when(record.terminal_at)],
    ['Next attempt', record.eligible_at && when(record.eligible_at)],
    ['Attempts', grouped(record.attempt)],
    ['Content type', record.content_type],
    ['Sequence', record.seq === undefined ? undefined : grouped(record.seq)],
    ['Digest', record.digest],
    ...Object.entries(record.attributes ?? {}),
  ];
  const row = ([name, value]) => el('div', { class: name === 'Digest' && 'wide' }, el('dt', {}, name), el('dd', {}, value));
  return el('dl', {}, ...rows.filter(([, value]) => value).map(row));
}

function lastError({ last_error: error }) {
  if (!error) return null;
  const more = furtherLines(error);
  return el('section', {}, el('h4', {}, 'Last error'), el('p', { class: 'error' }, firstLine(error)), ...said(more));
}

// The lines below the first are what the target said.
const said = (more) => (more ? [el('h5', {}, 'Response of the target'), el('pre', { tabindex: 0 }, more)] : []);

function attempts({ history }) {
  if (!history?.length) return null;
  const row = ({ started_at: from, ended_at: until, end, error }) =>
    el('tr', {}, el('td', {}, when(from)), el('td', { class: 'number' }, between(from, until)), el('td', {}, endName(end)), el('td', {}, el('span', { class: 'lines' }, error ?? '')));
  const head = ['Started', 'Took', 'Ended', 'Error'].map((name) => el('th', { scope: 'col', class: name === 'Took' && 'number' }, name));
  const table = el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...history.map(row)));
  return el('section', {}, el('h4', {}, 'Last attempts'), el('div', { class: 'scroll' }, table));
}

function payload({ payload: text, payload_encoding: encoding, size_bytes: size }) {
  if (text === undefined) return el('p', { class: 'quiet' }, 'The payload is not kept after the end of an event.');
  const title = `Payload${encoding === 'base64' ? ', as base64: it is no text' : ''}${size === undefined ? '' : `, event of ${bytes(size)}`}`;
  return el('section', {}, el('h4', {}, title), text ? el('pre', { tabindex: 0 }, text) : el('p', { class: 'quiet' }, 'It is empty.'));
}
