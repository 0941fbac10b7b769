// A worker in TypeScript: takes events from a server that was started with `eventful serve --pull`, and settles them.
//
//     node --experimental-strip-types worker.ts http://127.0.0.1:8080 [COUNT]
//
// Ends after COUNT events; without it, never. EVENTFUL_TOKEN is the token, when the server asks for one. It needs nothing
// but Node's own fetch.

interface LeasedEvent {
  run: string;
  id: string;
  source: string;
  type?: string;
  attempt: number;
  deadline: string;
  payload: string;
  payload_encoding: "utf-8" | "base64";
}

type Outcome =
  | { outcome: "done" }
  | { outcome: "retry"; error: string; after?: string }
  | { outcome: "permanent"; error: string }
  | { outcome: "snooze"; after: string };

/** What can never succeed. */
class Permanent extends Error {}

async function call(url: string, body: unknown): Promise<{ status: number; json: any }> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  const token = process.env.EVENTFUL_TOKEN;
  if (token) headers.authorization = `Bearer ${token}`;
  // Longer than the server waits for events.
  const signal = AbortSignal.timeout(60_000);
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
  return { status: response.status, json: await response.json() };
}

async function handle(event: LeasedEvent): Promise<void> {
  const data = Buffer.from(event.payload, event.payload_encoding === "base64" ? "base64" : "utf8");
  if (data.toString() === "never") throw new Permanent("this can never succeed");
  console.log(`${event.id} (attempt ${event.attempt}): ${data.length} bytes`);
}

async function outcome(event: LeasedEvent): Promise<Outcome> {
  try {
    await handle(event);
    return { outcome: "done" };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return error instanceof Permanent ? { outcome: "permanent", error: text } : { outcome: "retry", error: text };
  }
}

/** Says what became of an event, until the server has it or the run no longer counts. */
async function settle(server: string, event: LeasedEvent, result: Outcome): Promise<void> {
  while (true) {
    const answer = await call(`${server}/v1/runs/${event.run}/settle`, result).catch((error) => {
      return { status: 0, json: { detail: String(error) } };
    });
    if (answer.status === 200) return;
    console.error(`${event.id}: ${answer.json.detail}`);
    // It took longer than its deadline, or an operator has discarded it: another run may have it now.
    if (answer.status === 409) return;
    // Down, restarting or overloaded. Sent again it changes nothing a second time: then it is 409.
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000));
}

async function work(server: string, count: number): Promise<void> {
  let settled = 0;
  while (settled < count) {
    const leased = await call(`${server}/v1/lease`, { max: 10, wait: "20s" }).catch((error) => {
      console.error(`the server cannot be reached: ${error}`);
      return { status: 0, json: null };
    });
    if (leased.status !== 200) {
      // Down, restarting or overloaded: come back later.
      await pause();
      continue;
    }
    for (const event of leased.json.events as LeasedEvent[]) {
      await settle(server, event, await outcome(event));
      settled += 1;
    }
  }
}

await work(process.argv[2], process.argv[3] === undefined ? Infinity : Number(process.argv[3]));
