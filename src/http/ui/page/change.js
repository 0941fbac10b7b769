// Changes of events: asked for, counted, confirmed, done, and what became of them.

import { call } from './api.js';
import { byId, button, el, say } from './dom.js';
import { counted, grouped } from './words.js';

// Calls at the same time, for events that are chosen one by one.
const AT_ONCE = 4;

export const REDRIVE = { verb: 'redrive', done: 'redriven', name: 'Redrive', kind: '' };
export const DISCARD = { verb: 'discard', done: 'discarded', name: 'Discard', kind: 'danger' };

const WHAT = {
  redrive: 'They are handled again, with all their attempts.',
  discard: 'They end without being handled, and their payloads are removed. This cannot be undone.',
};

// Long enough to be read, then it is in the way.
const SHOWN_MS = 15_000;

let hiding;

// Shows what happened, to a screen reader too.
export function report(text, isBad = false) {
  const host = byId('said');
  clearTimeout(hiding);
  hiding = setTimeout(() => say(host, ''), SHOWN_MS);
  host.className = isBad ? 'bad' : '';
  say(host, text);
}

// Does something that may be refused, and says how it ended. Returns whether it was done.
export async function attempt(does, done) {
  try {
    await does();
    report(`${done}.`);
    return true;
  } catch (refused) {
    report(refused.message, true);
    return false;
  }
}

// The question that waits for its answer.
let asked = () => {};

// Asks, and resolves with whether it was confirmed. A question before that still waits is one that was not.
export function confirmed(title, text, change) {
  asked(false);
  const dialog = byId('confirm');
  return new Promise((resolve) => {
    asked = resolve;
    const answer = (isSure) => {
      resolve(isSure);
      dialog.close();
    };
    const yes = button(change.name, () => answer(true), change.kind || 'primary');
    const no = button('Cancel', () => answer(false));
    dialog.replaceChildren(el('h2', { id: 'confirm-title' }, title), el('p', {}, text), el('div', { class: 'row end' }, no, yes));
    // Escape. The event comes later than it closes: by then the next question may be open, which it says nothing about.
    dialog.onclose = () => dialog.open || resolve(false);
    if (!dialog.open) dialog.showModal();
    no.focus();
  });
}

const one = (change, { id, source }) =>
  change === REDRIVE ? call('POST', 'v1/event/redrive', { id, source }) : call('DELETE', 'v1/event', { id, source });

export async function changeOne(change, key) {
  const isSure = change === REDRIVE || (await confirmed(`Discard ${key.id}?`, WHAT.discard, change));
  return isSure && attempt(() => one(change, key), `${change.name}: ${key.id} is ${change.done}`);
}

// Changes each of these events. Those that another operator was faster with are counted as refused.
export async function changeEach(change, keys) {
  if (!(await confirmed(`${change.name} ${counted(keys.length, 'event')}?`, WHAT[change.verb], change))) return false;
  const [left, refused] = [[...keys], []];
  let count = 0;
  const work = async () => {
    for (let key = left.pop(); key; key = left.pop()) {
      await one(change, key).then(() => (count += 1), (error) => refused.push(`${key.id}: ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const rest = refused.length > 0 ? `; ${grouped(refused.length)} refused, the first: ${refused[0]}` : '';
  report(`${counted(count, 'event')} ${change.done}${rest}.`, refused.length > 0);
  return true;
}

// Changes the failed events that a filter chooses, in pages, after their number is confirmed, and no more than that.
export async function changeMatching(change, filter, which) {
  const query = { status: 'failed', ...filter };
  let matching;
  const isCounted = await countOf(change, query).then((count) => ((matching = count), true), (refused) => report(refused.message, true));
  if (!isCounted) return false;
  if (Number(matching) === 0) {
    report('No failed event matches: nothing is changed.');
    return false;
  }
  const title = `${change.name} ${counted(matching, 'event')}?`;
  if (!(await confirmed(title, `${which} ${WHAT[change.verb]}`, change))) return false;
  let count = 0;
  const progress = (now) => report(`${grouped((count = now))} of ${grouped(matching)} ${change.done}…`);
  const done = () => pages(change, query, Number(matching), progress);
  return (await attempt(done, '')) && (report(`${counted(count, 'event')} ${change.done}.`), true);
}

const countOf = async (change, query) => (await call('POST', `v1/${change.verb}`, { ...query, dry_run: true })).matching;

// Changes no more than were confirmed: one that fails again at once would be found again without end.
async function pages(change, query, most, progress) {
  let [count, after] = [0, undefined];
  do {
    const page = await call('POST', `v1/${change.verb}`, { ...query, limit: most - count, after });
    count += Number(page[change.done]);
    after = page.next;
    progress(count);
  } while (after !== undefined && count < most);
}
