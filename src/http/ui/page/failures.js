// Failed events by their cause, and what an operator does about them.

import { eventPages, read } from './api.js';
import { DISCARD, REDRIVE, changeEach, changeMatching } from './change.js';
import { button, byId, el, say } from './dom.js';
import { details, when } from './record.js';
import { counted, grouped } from './words.js';

// Failed events are counted by cause in pages of 10,000; a server with millions of them is not asked for all.
const MOST_PAGES = 10;

// Events of one cause that are shown at once.
const SHOWN = 50;

// The list is read again when numbers have changed, and not more often.
const AGAIN_MS = 2000;

const keyText = ({ id, source }) => JSON.stringify([source, id]);

export class Failures {
  #access;
  // The filter whose events are shown. What is typed since then counts once it is applied.
  #applied = {};
  #isSeen = false;
  #isReading = false;
  #readAt = 0;
  // What the counters were when the list was read, and are now.
  #listed = '';
  #now = '';
  #causes = new Map();
  #isPart = false;
  #chosenCauses = new Set();
  #chosenEvents = new Map();
  #open = new Set();

  constructor(access) {
    this.#access = access;
    byId('failures-filter').onsubmit = (submitted) => {
      submitted.preventDefault();
      this.#applied = this.#filter();
      this.#refresh();
    };
    byId('failures-again').onclick = () => this.#refresh();
    this.#actions();
  }

  seen(isSeen) {
    this.#isSeen = isSeen;
    if (isSeen && this.#readAt === 0) this.#refresh();
  }

  show(stats) {
    this.#now = `${stats.records.failed} ${stats.events_redriven_total} ${stats.events_forgotten_total.failed}`;
    say(byId('failures-count'), Number(stats.records.failed) > 0 ? grouped(stats.records.failed) : '');
    const isOld = this.#now !== this.#listed;
    const isBusy = this.#open.size + this.#chosenCauses.size + this.#chosenEvents.size > 0;
    // What is being read must not move away under the eyes of its reader.
    byId('failures-changed').hidden = !(isOld && isBusy);
    if (this.#isSeen && isOld && !isBusy && Date.now() - this.#readAt >= AGAIN_MS) this.#refresh();
  }

  #filter() {
    const given = new FormData(byId('failures-filter'));
    const text = (name) => given.get(name) || undefined;
    const moment = (name) => (given.get(name) ? new Date(given.get(name)).toISOString() : undefined);
    return { source: text('source'), type: text('type'), failed_from: moment('from'), failed_until: moment('until') };
  }

  async #refresh() {
    if (this.#isReading) return;
    [this.#isReading, this.#readAt, this.#listed] = [true, Date.now(), this.#now];
    this.#chosenCauses.clear();
    this.#chosenEvents.clear();
    this.#open.clear();
    byId('failures-changed').hidden = true;
    const filter = this.#applied;
    try {
      await this.#readAll(filter);
      this.#render();
    } catch (refused) {
      byId('failures-list').replaceChildren(el('li', { class: 'empty bad' }, refused.message));
    } finally {
      this.#isReading = false;
    }
    // Another one was applied meanwhile.
    if (filter !== this.#applied) await this.#refresh();
  }

  async #readAll(filter) {
    const causes = new Map();
    let after;
    for (let page = 0; page < MOST_PAGES && (page === 0 || after); page += 1) {
      const part = await read('v1/failures', { ...filter, after });
      part.causes.forEach((found) => merge(causes, found));
      after = part.next;
    }
    [this.#causes, this.#isPart] = [causes, after !== undefined];
  }

  #render() {
    const sorted = [...this.#causes.values()].sort((one, other) => other.count - one.count);
    const empty = () => el('li', { class: 'empty' }, isEmpty(this.#applied) ? 'No event has failed.' : 'No failed event matches.');
    byId('failures-list').replaceChildren(...(sorted.length > 0 ? sorted.map((found) => this.#cause(found)) : [empty()]));
    say(byId('failures-part'), this.#isPart ? 'There are more failed events than are counted here: choose a time, a source or a type.' : '');
    this.#actions();
  }

  #cause(found) {
    const body = el('div', { class: 'cause-body', hidden: true });
    const { cause, count } = found;
    const title = el('button', { type: 'button', class: 'fold', 'aria-expanded': 'false' }, el('b', { class: 'number' }, grouped(count)), el('span', { class: 'lines' }, cause || 'No error was given'));
    title.onclick = () => this.#unfold(title, body, found);
    const box = this.#box(`all events with: ${cause}`, (is) => (is ? this.#chosenCauses.add(cause) : this.#chosenCauses.delete(cause)));
    const span = el('span', { class: 'quiet' }, 'last ', when(found.last_failed_at));
    return el('li', { 'data-cause': cause }, el('div', { class: 'row cause' }, box, title, span), body);
  }

  #box(label, choose) {
    if (!this.#access.operates) return null;
    const box = el('input', { type: 'checkbox', 'aria-label': `Select ${label}` });
    box.onchange = () => {
      choose(box.checked);
      this.#actions();
    };
    return box;
  }

  #unfold(title, body, { cause }) {
    const opens = body.hidden;
    body.hidden = !opens;
    title.setAttribute('aria-expanded', String(opens));
    if (!opens) {
      this.#open.delete(cause);
      return;
    }
    this.#open.add(cause);
    const rows = el('ul', { class: 'events' });
    body.replaceChildren(rows);
    this.#more(rows, body, cause, undefined);
  }

  async #more(rows, body, cause, after) {
    try {
      let next;
      for await (const page of eventPages({ status: 'failed', cause, ...this.#applied }, SHOWN, after)) {
        rows.append(...page.records.map((record) => this.#event(record)));
        next = page.next;
      }
      if (next === undefined) return;
      const more = button('Show more', () => {
        more.remove();
        this.#more(rows, body, cause, next);
      });
      body.append(more);
    } catch (refused) {
      body.append(el('p', { class: 'bad' }, refused.message));
    }
  }

  #event(record) {
    const key = { id: record.id, source: record.source };
    const body = el('div', { hidden: true });
    const parts = [el('span', { class: 'key' }, record.id), record.source && el('span', { class: 'quiet' }, `from ${record.source}`), record.type && el('span', { class: 'quiet' }, record.type)];
    const title = el('button', { type: 'button', class: 'fold', 'aria-expanded': 'false' }, ...parts);
    title.onclick = () => {
      body.hidden = !body.hidden;
      title.setAttribute('aria-expanded', String(!body.hidden));
      if (!body.hidden) body.replaceChildren(details(key, this.#access, () => {}));
    };
    const box = this.#box(record.id, (is) => (is ? this.#chosenEvents.set(keyText(key), key) : this.#chosenEvents.delete(keyText(key))));
    const span = el('span', { class: 'quiet' }, `${counted(record.attempt, 'attempt')}, `, when(record.terminal_at));
    return el('li', { 'data-id': record.id }, el('div', { class: 'row' }, box, title, span), body);
  }

  #actions() {
    if (!this.#access.operates) return;
    const chosen = this.#chosenCauses.size + this.#chosenEvents.size;
    const words = [this.#chosenCauses.size > 0 && counted(this.#chosenCauses.size, 'cause'), this.#chosenEvents.size > 0 && counted(this.#chosenEvents.size, 'event')];
    say(byId('failures-chosen'), chosen > 0 ? `Selected: ${words.filter(Boolean).join(' and ')}` : '');
    byId('failures-actions').replaceChildren(
      ...[REDRIVE, DISCARD].flatMap((change) => [
        this.#action(`${change.name} selected…`, chosen > 0, change, () => this.#changeChosen(change)),
        this.#action(`${change.name} all…`, this.#causes.size > 0, change, () => this.#changeAll(change)),
      ]),
    );
  }

  #action(label, isPossible, change, does) {
    const act = button(label, async () => (await does()) && this.#refresh(), change.kind);
    act.disabled = !isPossible;
    return act;
  }

  #changeAll(change) {
    const filter = this.#applied;
    const which = isEmpty(filter) ? 'These are all events that have failed.' : 'These are all failed events that match the filter.';
    return changeMatching(change, filter, which);
  }

  async #changeChosen(change) {
    let isChanged = false;
    const filter = this.#applied;
    for (const cause of [...this.#chosenCauses]) {
      const which = `These have failed with: ${cause || 'no error'}.`;
      isChanged = (await changeMatching(change, { ...filter, cause }, which)) || isChanged;
    }
    const keys = [...this.#chosenEvents.values()];
    return (keys.length > 0 && (await changeEach(change, keys))) || isChanged;
  }
}

const isEmpty = (filter) => Object.values(filter).every((value) => value === undefined);

// One cause may be on several pages, in whose order times need not rise.
function merge(causes, found) {
  const known = causes.get(found.cause) ?? { ...found, count: 0 };
  causes.set(found.cause, {
    ...known,
    count: known.count + found.count,
    first_failed_at: isBefore(known.first_failed_at, found.first_failed_at) ? known.first_failed_at : found.first_failed_at,
    last_failed_at: isBefore(known.last_failed_at, found.last_failed_at) ? found.last_failed_at : known.last_failed_at,
  });
}

const isBefore = (one, other) => new Date(one) < new Date(other);
