// Elements. Text is only ever set as text, never as markup.

export const byId = (id) => document.getElementById(id);

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name === 'class') element.className = value;
  else if (name === 'data') Object.assign(element.dataset, value);
  else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? '' : value);
}

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.entries(properties).forEach(([name, value]) => set(element, name, value));
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export const button = (label, onclick, kind = '') => el('button', { type: 'button', class: kind, onclick }, label);

// Changes the text where it differs: a screen reader, and a selection, are disturbed by nothing else.
export function say(element, text) {
  const words = String(text);
  if (element.textContent !== words) element.textContent = words;
}

// Replaces the children when `key` is another than the last time.
export function render(host, key, children) {
  if (host.dataset.rendered === key) return;
  host.dataset.rendered = key;
  host.replaceChildren(...children());
}
