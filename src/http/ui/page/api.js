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

function headers(more = {}) {
  const text = token.get();
  return text ? { ...more, Authorization: `Bearer ${text}` } : more;
}

export function url(path, query = {}) {
  const target = new URL(path, BASE);
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  given.forEach(([name, value]) => target.searchParams.append(name, value));
  return target;
}

async function refusal(response) {
  const text = await response.text();
  try {
    return new Refusal(response.status, parse(text).detail ?? text);
  } catch {
    return new Refusal(response.status, text || `the server responded with status ${response.status}`);
  }
}

// Returns the response, as JSON where it is. Status 0 of a refusal: there was no response.
export async function call(method, path, query) {
  let response;
  try {
    response = await fetch(url(path, query), {
      method,
      headers: headers(),
      cache: 'no-store',
      signal: AbortSignal.timeout(CALL_MS),
    });
  } catch {
    throw new Refusal(0, 'the server cannot be reached');
  }
  if (!response.ok) throw await refusal(response);
  const text = await response.text();
  return response.headers.get('content-type')?.startsWith('application/json') ? parse(text) : text;
}

export const read = (path, query) => call('GET', path, query);

// Gives each server-sent event of a stream to `take`, and returns at its end. An EventSource sends no token.
export async function follow(path, take) {
  const stop = new AbortController();
  let silence = setTimeout(() => stop.abort(), SILENCE_MS);
  try {
    const response = await fetch(url(path), {
      headers: headers({ Accept: 'text/event-stream' }),
      cache: 'no-store',
      signal: stop.signal,
    });
    if (!response.ok) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE_MS);
      const events = (rest + part.value).split('\n\n');
      rest = events.pop();
      events.map(data).filter(Boolean).forEach((text) => take(parse(text)));
    }
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(0, 'the server cannot be reached');
  } finally {
    clearTimeout(silence);
    stop.abort();
  }
}

function data(event) {
  const lines = event.split('\n').filter((line) => line.startsWith('data: '));
  return lines.map((line) => line.slice('data: '.length)).join('\n');
}
