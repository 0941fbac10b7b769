// The search of events by id, source, type, status, error and time.

import { eventPages } from './api.js';
import { button, byId, el, say } from './dom.js';
import { cell } from './overview.js';
import { chip, details, when } from './record.js';
import { counted, firstLine, grouped } from './words.js';

const LIMIT = 50;

const COLUMNS = 7;

export class Search {
  #access;
  #query;
  #found = 0;
  #search = 0;

  constructor(access) {
    this.#access = access;
    byId('search').onsubmit = (submitted) => {
      submitted.preventDefault();
      this.#begin();
    };
  }

  // Begins with what a link names: #events?id=order-17&source=shop
  open(hash) {
    const given = new URLSearchParams(hash.split('?')[1] ?? '');
    const fields = byId('search').elements;
    // A link may name anything, also what each list of elements has.
    given.forEach((value, name) => fields.namedItem(name)?.name === name && (fields.namedItem(name).value = value));
    if ([...given].length > 0) this.#begin();
  }

  #begin() {
    const given = new FormData(byId('search'));
    const moment = (text) => new Date(text).toISOString();
    const value = (name, text) => (name.startsWith('accepted_') ? moment(text) : text);
    const filled = [...given].filter(([, text]) => text !== '');
    this.#query = Object.fromEntries(filled.map(([name, text]) => [name, value(name, text)]));
    this.#found = 0;
    this.#search += 1;
    byId('found-rows').replaceChildren();
    byId('found-more').replaceChildren();
    this.#read(undefined, this.#search);
  }

  async #read(from, search) {
    let after;
    say(byId('found-count'), 'Searching…');
    try {
      for await (const page of eventPages(this.#query, LIMIT, from)) {
        // A search that began since then shows its own.
        if (search !== this.#search) return;
        this.#add(page.records);
        after = page.next;
      }
      this.#end(after, search);
    } catch (refused) {
      say(byId('found-count'), refused.message);
    }
  }

  #end(after, search) {
    const more = after === undefined ? '' : ' so far: there may be more';
    say(byId('found-count'), this.#found === 0 && !more ? 'No event matches.' : `${counted(this.#found, 'event')}${more}.`);
    byId('found').hidden = this.#found === 0;
    const onward = button('Search further', () => this.#read(after, search));
    byId('found-more').replaceChildren(...(after === undefined ? [] : [onward]));
  }

  #add(records) {
    this.#found += records.length;
    byId('found-rows').append(...records.flatMap((record) => this.#rows(record)));
  }

  #rows(record) {
    const body = el('tr', { class: 'unfolded', hidden: true }, el('td', { colspan: COLUMNS }));
    const title = el('button', { type: 'button', class: 'fold key', 'aria-expanded': 'false' }, record.id);
    title.onclick = () => {
      body.hidden = !body.hidden;
      title.setAttribute('aria-expanded', String(!body.hidden));
      if (!body.hidden) body.firstChild.replaceChildren(details({ id: record.id, source: record.source }, this.#access, () => {}));
    };
    const row = el(
      'tr',
      { 'data-id': record.id },
      cell('Id', title),
      cell('Source', record.source || '–'),
      cell('Type', record.type ?? '–'),
      cell('Status', chip(record.status)),
      cell('Attempts', grouped(record.attempt)),
      cell('Accepted', when(record.accepted_at)),
      cell('Last error', el('span', { class: 'lines' }, firstLine(record.last_error) || '–')),
    );
    return [row, body];
  }
}
