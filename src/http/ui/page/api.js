// The calls of the server, made with the token of the reader. URLs are relative to this file: a prefix does no harm.

import { parse } from './json.js';

const BASE = new URL('../', import.meta.url);
const TOKEN = 'eventful.token';

// Longer than any call takes that this page makes, all of which are short.
const CALL_MS = 30_000;

// Numbers come every second. When none has come for so long, the connection is broken, though no one has closed it.
const SILENCE_MS = 10_000;

export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? '',
  set: (text) => sessionStorage.setItem(TOKEN, text),
  clear: () => sessionStorage.removeItem(TOKEN),
};

// Whether a text can be a token: no header carries any other character.
export const isToken = (text) => /^[\x21-\x7e]+$/.test(text);

function headers(more = {}) {
  const text = token.get();
  if (text && !isToken(text)) throw new Refusal(401, 'the token has characters that no token has');
  return text ? { ...more, Authorization: `Bearer ${text}` } : more;
}

export function url(path, query = {}) {
  const target = new URL(path, BASE);
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  given.forEach(([name, value]) => target.searchParams.append(name, value));
  return target;
}

async function refusal(response) {
  const text = await reached(() => response.text());
  try {
    return new Refusal(response.status, parse(text).detail ?? text);
  } catch {
    return new Refusal(response.status, text || `the server responded with status ${response.status}`);
  }
}

// Returns what a step of an exchange returns. What a step throws means that there is no connection.
async function reached(step) {
  try {
    return await step();
  } catch {
    throw new Refusal(0, 'the server cannot be reached');
  }
}

// Returns the response, as JSON where it is. Status 0 of a refusal: there was no response.
export async function call(method, path, query) {
  const request = { method, headers: headers(), cache: 'no-store', signal: AbortSignal.timeout(CALL_MS) };
  const response = await reached(() => fetch(url(path, query), request));
  if (!response.ok) throw await refusal(response);
  const text = await reached(() => response.text());
  return response.headers.get('content-type')?.startsWith('application/json') ? parse(text) : text;
}

export const read = (path, query) => call('GET', path, query);

// A call reads a bounded number of records, few of which may match. So many calls are made before the reader is asked.
const MOST_CALLS = 20;

// Yields the pages of events that a query finds, until there are `limit` events, or no more, or it has taken many calls.
export async function* eventPages(query, limit, from) {
  let [count, next] = [0, from];
  for (let calls = 0; calls < MOST_CALLS && count < limit && (calls === 0 || next !== undefined); calls += 1) {
    const page = await read('v1/events', { ...query, limit: limit - count, after: next });
    yield page;
    [count, next] = [count + page.records.length, page.next];
  }
}

// Gives each server-sent event of a stream to `take`, and returns at its end. An EventSource sends no token.
export async function follow(path, take) {
  const stop = new AbortController();
  let silence = setTimeout(() => stop.abort(), SILENCE_MS);
  try {
    const request = { headers: headers({ Accept: 'text/event-stream' }), cache: 'no-store', signal: stop.signal };
    const response = await reached(() => fetch(url(path), request));
    if (!response.ok) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    const next = () => reached(() => reader.read());
    for (let part = await next(); !part.done; part = await next()) {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE_MS);
      const events = (rest + part.value).split('\n\n');
      rest = events.pop();
      events.map(data).filter(Boolean).forEach((text) => take(parse(text)));
    }
  } finally {
    clearTimeout(silence);
    stop.abort();
  }
}

function data(event) {
  const lines = event.split('\n').filter((line) => line.startsWith('data: '));
  return lines.map((line) => line.slice('data: '.length)).join('\n');
}
