// What an operator has to know first: no connection, a drain, no readiness, a pause.

import { call, read } from './api.js';
import { attempt } from './change.js';
import { button, byId, el, render, say } from './dom.js';
import { counted, grouped, time } from './words.js';

// The reason of a readiness changes within seconds, not sooner.
const READY_MS = 3000;

const phaseOf = (stats) => Object.keys(stats.phase).find((name) => stats.phase[name] === 1);

export class Notices {
  #access;
  #stats;
  #shownAt;
  #away = '';
  #reason = '';
  #askedAt = 0;
  #drainedFrom = 0;

  constructor(access) {
    this.#access = access;
  }

  show(stats, now) {
    [this.#stats, this.#shownAt, this.#away] = [stats, now, ''];
    if (phaseOf(stats) === 'draining') this.#drainedFrom = Math.max(this.#drainedFrom, Number(stats.processing_inflight));
    if (now - this.#askedAt >= READY_MS) {
      this.#askedAt = now;
      this.#ready();
    }
    this.#render();
  }

  lost(why, seconds) {
    const shown = this.#shownAt ? ` What is shown is from ${time(this.#shownAt)}.` : '';
    this.#away = `No connection: ${why}.${shown} It is tried again every ${seconds} s.`;
    this.#render();
  }

  async #ready() {
    this.#reason = await read('readyz').then(() => '', (refused) => (refused.status === 503 ? refused.message : ''));
    this.#render();
  }

  #list() {
    if (this.#away) return [['away', this.#away]];
    const stats = this.#stats;
    const phase = phaseOf(stats);
    const found = [];
    if (phase === 'draining') found.push(['drain', drainText(stats, this.#drainedFrom)]);
    if (phase === 'stopped') found.push(['drain', 'Stopped: no event is taken or handled.']);
    if (phase === 'running' && this.#reason) found.push(['bad', `Not ready: ${this.#reason}`]);
    if (stats.paused === 1) found.push(['pause', 'Paused by an operator: no run starts.']);
    const groups = Number(stats.groups_paused);
    if (groups > 0) found.push(['groups', `${counted(groups, 'group')} paused by an operator.`]);
    const open = Object.values(stats.target_circuit_open ?? {}).filter((is) => is === 1).length;
    if (open > 0) found.push(['bad', `${counted(open, 'target')} with an open circuit: their events wait.`]);
    return found;
  }

  #render() {
    const list = this.#list();
    render(byId('notices'), JSON.stringify(list), () => list.map(([kind, text]) => el('li', { class: kind }, text)));
    this.#drain();
    document.body.classList.toggle('stale', this.#away !== '');
    const phase = this.#away ? 'away' : phaseOf(this.#stats);
    const chip = byId('phase');
    chip.className = `chip ${CHIPS[phase]}`;
    say(chip, PHASES[phase]);
    this.#pauseButton();
  }

  #drain() {
    const bar = byId('drain');
    const drains = !this.#away && phaseOf(this.#stats) === 'draining';
    bar.hidden = !drains;
    if (drains) [bar.max, bar.value] = [this.#drainedFrom || 1, this.#drainedFrom - Number(this.#stats.processing_inflight)];
  }

  #pauseButton() {
    if (!this.#access.operates || !this.#stats) return;
    // Without a server, or when it stops, there is nothing to pause.
    byId('pause').hidden = this.#away !== '' || phaseOf(this.#stats) !== 'running';
    const [label, path, done] =
      this.#stats.paused === 1 ? ['Resume', 'v1/resume', 'Resumed'] : ['Pause', 'v1/pause', 'Paused: no run starts'];
    render(byId('pause'), label, () => [button(label, () => attempt(() => call('POST', path), done))]);
  }
}

const PHASES = { running: 'Running', draining: 'Draining', stopped: 'Stopped', away: 'No connection' };
const CHIPS = { running: 'good', draining: 'warn', stopped: 'bad', away: 'bad' };

function drainText(stats, from) {
  const left = Number(stats.processing_inflight);
  const ended = from > left ? `, ${grouped(from - left)} ended` : '';
  return `Draining before the server stops: ${counted(left, 'run')} in flight${ended}. No new event is taken.`;
}
