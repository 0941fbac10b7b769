// JSON as the server writes it. A whole number beyond 2^53 becomes a BigInt, so that none of its digits changes.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const WHOLE = /^-?\d{16,}$/;

// Drawn at random, so that no text of an event can be taken for a number.
const MARK = `${crypto.getRandomValues(new Uint32Array(4)).join('-')}:`;

const isLarge = (token) => WHOLE.test(token) && !Number.isSafeInteger(Number(token));

const revive = (_, value) =>
  typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value;

export function parse(text) {
  return JSON.parse(text.replace(TOKEN, (token) => (isLarge(token) ? `"${MARK}${token}"` : token)), revive);
}
