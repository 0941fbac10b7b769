// The real program, with a handler that does what an event says, and calls of its API.

import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = process.env.EVENTFUL_PROGRAM;

// The longest wait for anything. Nothing takes a tenth of it here; a busy machine takes more.
export const PATIENCE_MS = 100_000;

const PAUSE_MS = 20;

// The payload decides: "ok", "hang", or the text of a permanent error. "hang" ends when its file is there.
const HANDLER = 'read -r x; case "$x" in ok*) exit 0;; hang*) until [ -e "$GO" ]; do sleep 0.05; done; exit 0;; *) printf "%s" "$x" >&2; exit 3;; esac';

// Waits until `what` returns something that is true, and returns that.
export async function until(what, name = what.toString()) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await what();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: ${name}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export class Server {
  #child;
  #output = '';
  #log = '';

  static async start({ listen = '127.0.0.1:0', args = [], tokens = {} } = {}) {
    const server = new Server();
    server.home = mkdtempSync(join(tmpdir(), 'eventful-ui-'));
    const flags = Object.entries(tokens).flatMap(([role, token]) => {
      const file = join(server.home, role);
      writeFileSync(file, token);
      return [`--${role}-token-file`, file];
    });
    server.token = tokens.operate;
    server.#child = spawn(PROGRAM, ['--log', 'error', 'serve', '--listen', listen, '--exec', HANDLER, '--max-attempts', '1', ...flags, ...args], {
      env: { ...process.env, GO: join(server.home, 'go') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // What the handler prints comes out there, too. It is shown when there is nothing else to go by.
    server.#child.stderr.on('data', (text) => (server.#log += text));
    server.#child.stdout.on('data', (text) => (server.#output += text));
    const found = () => server.#output.match(/http:\/\/[\d.]+:\d+/)?.[0];
    server.url = await until(found, 'the server listens').catch((error) => Promise.reject(new Error(`${error.message}: ${server.#log}`)));
    return server;
  }

  get address() {
    return new URL(this.url).host;
  }

  async call(method, path, body, headers = {}) {
    const authorization = this.token ? { authorization: `Bearer ${this.token}` } : {};
    const response = await fetch(`${this.url}${path}`, { method, body, headers: { ...authorization, ...headers } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  submit(id, payload, { source = '', type } = {}) {
    return this.call('POST', '/v1/events', JSON.stringify({ id, source, type, payload: { text: payload } }), { 'content-type': 'application/json' });
  }

  // With the payload as it is: the handler reads its first line.
  raw(id, payload, query = '') {
    return this.call('POST', `/v1/events${query}`, payload, { 'idempotency-key': id });
  }

  stats() {
    return this.call('GET', '/v1/stats');
  }

  record(id, source = '') {
    return this.call('GET', `/v1/event?id=${encodeURIComponent(id)}&source=${encodeURIComponent(source)}`).catch(() => undefined);
  }

  count(status, count) {
    return until(async () => (await this.stats()).records[status] === count, `${count} events are ${status}`);
  }

  go() {
    writeFileSync(join(this.home, 'go'), '');
  }

  signal(name) {
    this.#child.kill(name);
  }

  ended() {
    return until(() => this.#child.exitCode !== null || this.#child.signalCode !== null, 'the server ends');
  }

  async stop() {
    this.go();
    this.signal('SIGKILL');
    await this.ended();
  }
}

// A proxy that serves the server under a prefix, as operators have it.
export function proxy(target, prefix) {
  const forward = (request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) return response.writeHead(404).end();
    const url = new URL(request.url.slice(prefix.length), target);
    const onward = http.request(url, { method: request.method, headers: request.headers }, (from) => {
      response.writeHead(from.statusCode, from.headers);
      from.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    return request.pipe(onward);
  };
  const server = http.createServer(forward);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}${prefix}`, stop: () => server.close() && server.closeAllConnections() }));
  });
}
