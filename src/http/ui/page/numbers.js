// Rates and quantiles, from numbers of the server that only rise.

// Numbers come every second: five minutes of them.
export const KEPT = 300;

// Seconds over which a rate is taken: over one, it would jump about.
const SPAN = 5;
// Quantiles need more runs than come in a few seconds.
const QUANTILE_SPAN = 60;

// The number at a place such as `records.failed`.
export const at = (stats, place) => place.split('.').reduce((part, name) => part?.[name], stats);

// Of whole numbers of any size. A server that was restarted begins at zero again: there is no difference then.
function rise(now, before) {
  const difference = BigInt(now ?? 0) - BigInt(before ?? 0);
  return difference < 0n ? null : Number(difference);
}

export class Samples {
  #kept = [];

  get last() {
    return this.#kept.at(-1);
  }

  add(stats, time) {
    const before = this.last;
    if (before && rise(stats.events_accepted_total, before.stats.events_accepted_total) === null) this.#kept = [];
    this.#kept.push({ stats, time });
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  #since(seconds) {
    const from = this.last.time - seconds * 1000;
    return this.#kept.find(({ time }) => time >= from);
  }

  // How often something happened in a second; null before there are two samples.
  rate(place) {
    if (this.#kept.length < 2) return null;
    const [now, before] = [this.last, this.#since(SPAN)];
    if (now === before) return null;
    const risen = rise(at(now.stats, place), at(before.stats, place));
    return risen === null ? null : (risen * 1000) / (now.time - before.time);
  }

  // The duration that this part of all does not exceed, of those in the last minute; null when there were none.
  quantile(name, part) {
    const [now, before] = [this.last.stats[name], this.#since(QUANTILE_SPAN).stats[name]];
    return quantile(now?.bucket ?? {}, before?.bucket ?? {}, part);
  }
}

export function quantile(now, before, part) {
  const bounds = Object.keys(now).map((name) => [name === '+Inf' ? Infinity : Number(name), name]);
  bounds.sort(([one], [other]) => one - other);
  const counts = bounds.map(([bound, name]) => [bound, rise(now[name], before[name]) ?? 0]);
  const all = counts.at(-1)?.[1] ?? 0;
  if (all === 0) return null;
  const wanted = all * part;
  const index = counts.findIndex(([, count]) => count >= wanted);
  const [bound, count] = counts[index];
  const [low, below] = index > 0 ? counts[index - 1] : [0, 0];
  // Beyond the last bound nothing more is known.
  if (bound === Infinity) return low;
  return low + ((bound - low) * (wanted - below)) / (count - below);
}
