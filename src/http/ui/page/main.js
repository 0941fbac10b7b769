// The start: who is it, then numbers for as long as the page is open.

import { Refusal, follow, isToken, read, token } from './api.js';
import { byId, say } from './dom.js';
import { Failures } from './failures.js';
import { Notices } from './notices.js';
import { Samples } from './numbers.js';
import { Overview } from './overview.js';
import { Search } from './search.js';

// The pause before the server is tried again: a restart takes some seconds, and the calls of a page cost it nothing.
const AGAIN_S = 2;

const VIEWS = ['overview', 'failures', 'events'];

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// Resolves with what the reader may do, once there is a server, and a token that it knows.
async function enter() {
  for (;;) {
    try {
      const { token_needed: needed, roles } = await read('v1/access');
      if (roles.includes('read')) return { needed, operates: roles.includes('operate') };
      await askForToken(`The token may ${roles.join(', ')}, and this page needs one that may read.`);
    } catch (refused) {
      if (!(refused instanceof Refusal)) throw refused;
      if (refused.status === 401) await askForToken(token.get() ? 'The server does not know this token.' : '');
      else await waitForServer(refused);
    }
  }
}

async function waitForServer(refused) {
  say(byId('waiting'), `No connection: ${refused.message}. It is tried again every ${AGAIN_S} s.`);
  await pause(AGAIN_S);
}

function askForToken(why) {
  token.clear();
  say(byId('waiting'), '');
  say(byId('token-error'), why);
  byId('enter').hidden = false;
  byId('token').focus();
  return new Promise((resolve) => {
    byId('enter').onsubmit = (submitted) => {
      submitted.preventDefault();
      const text = byId('token').value.trim();
      byId('token').value = '';
      if (!isToken(text)) {
        say(byId('token-error'), 'This is no token: it has characters that no token has. Paste it again.');
        return;
      }
      token.set(text);
      byId('enter').hidden = true;
      resolve();
    };
  });
}

function leave() {
  token.clear();
  location.reload();
}

function showView() {
  const wanted = location.hash.slice(1).split('?')[0];
  const view = VIEWS.includes(wanted) ? wanted : VIEWS[0];
  VIEWS.forEach((name) => (byId(name).hidden = name !== view));
  document.querySelectorAll('nav a').forEach((link) => {
    if (link.hash === `#${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  });
  return view;
}

async function followNumbers(parts, notices) {
  for (;;) {
    let why = 'the server has closed it';
    try {
      await follow('v1/stats', (stats) => parts.forEach((part) => part(stats, Date.now())));
    } catch (refused) {
      if (!(refused instanceof Refusal)) throw refused;
      if (refused.status === 401 || refused.status === 403) leave();
      why = refused.message;
    }
    notices.lost(why, AGAIN_S);
    await pause(AGAIN_S);
  }
}

async function start() {
  say(byId('server'), location.host);
  const access = await enter();
  byId('door').hidden = true;
  byId('app').hidden = false;
  byId('leave').hidden = !access.needed;
  byId('leave').onclick = leave;
  say(byId('role'), access.operates ? '' : 'read only');
  const samples = new Samples();
  showView();
  const [overview, notices, failures] = [new Overview(samples, access), new Notices(access), new Failures(access)];
  const search = new Search(access);
  const change = () => failures.seen(showView() === 'failures');
  addEventListener('hashchange', change);
  change();
  search.open(location.hash);
  const add = (stats, now) => samples.add(stats, now);
  await followNumbers([add, (s, now) => overview.show(s, now), (s, now) => notices.show(s, now), (s) => failures.show(s)], notices);
}

start();
