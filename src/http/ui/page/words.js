// Values as text.

export const STATUSES = {
  received: 'Received',
  processing: 'Processing',
  failed_retry: 'Waiting to retry',
  completed: 'Completed',
  failed: 'Failed',
  discarded: 'Discarded',
};

const ENDS = {
  done: 'done',
  retry: 'failed, to be tried again',
  failed: 'failed permanently',
  snoozed: 'put off, not charged',
  crashed: 'crashed',
  timed_out: 'timed out',
  interrupted: 'interrupted',
  discarded: 'discarded',
};

export const statusName = (status) => STATUSES[status] ?? status;
export const endName = (end) => ENDS[end] ?? end;

// Works for numbers of any size, as those beyond 2^53 are BigInts.
export const grouped = (number) => (number ?? 0).toLocaleString('en-US');

export const counted = (number, one, many = `${one}s`) => `${grouped(number)} ${Number(number) === 1 ? one : many}`;

export function rate(perSecond) {
  if (perSecond === null) return '–';
  const digits = perSecond < 10 ? 1 : 0;
  return perSecond.toLocaleString('en-US', { maximumFractionDigits: digits });
}

const UNITS = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's'], [1e-3, 'ms'], [1e-6, 'µs']];

export function duration(seconds) {
  if (seconds === null) return '–';
  if (seconds === 0) return '0 s';
  const [size, name] = UNITS.find(([size]) => seconds >= size) ?? UNITS.at(-1);
  return `${Number((seconds / size).toPrecision(3))} ${name}`;
}

export const between = (from, until) => duration(Math.max(0, (new Date(until) - new Date(from)) / 1000));

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

// In the zone of the reader; the title has it as the server wrote it.
export const time = (text) => TIME.format(new Date(text));

export const bytes = (count) => (count < 1024 ? `${count} B` : `${(count / 1024).toFixed(1)} KiB`);

export const firstLine = (text) => (text ?? '').split('\n', 1)[0];
export const furtherLines = (text) => (text ?? '').split('\n').slice(1).join('\n').trim();
