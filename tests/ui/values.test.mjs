// Numbers and quantiles, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from '../../src/http/ui/page/json.js';
import { Samples, quantile } from '../../src/http/ui/page/numbers.js';
import { duration, firstLine, furtherLines, grouped, rate } from '../../src/http/ui/page/words.js';

test('large whole numbers are exact, all else is as JSON has it', () => {
  assert.deepEqual(parse('{"a":18446744073709551615,"b":-9007199254740993,"c":9007199254740991}'), {
    a: 18446744073709551615n,
    b: -9007199254740993n,
    c: 9007199254740991,
  });
  const text = '{"id":"18446744073709551615","e\\"":"\\\\","f":1.5e-7,"g":[12345678901234567.5,null,true],"h":"{\\"x\\":18446744073709551615}"}';
  assert.deepEqual(parse(text), JSON.parse(text));
  assert.throws(() => parse('{"a":}'));
});

test('rates are of the last seconds, and none across a restart', () => {
  const samples = new Samples();
  const stats = (count) => ({ events_accepted_total: count, end_to_end_seconds: { bucket: {} } });
  samples.add(stats(0), 0);
  assert.equal(samples.rate('events_accepted_total'), null);
  for (let second = 1; second <= 10; second += 1) samples.add(stats(second * 20), second * 1000);
  assert.equal(samples.rate('events_accepted_total'), 20);
  samples.add(stats(3), 11_000);
  assert.equal(samples.rate('events_accepted_total'), null);
  samples.add(stats(18446744073709551615n), 12_000);
  assert.ok(samples.rate('events_accepted_total') > 1e18);
});

test('a quantile lies within its bucket', () => {
  const before = { 0.01: 10, 0.1: 10, '+Inf': 10 };
  assert.equal(quantile(before, before, 0.5), null);
  assert.equal(quantile({}, {}, 0.5), null);
  const now = { '+Inf': 30, 0.1: 30, 0.01: 20 };
  assert.equal(quantile(now, before, 0.5), 0.01);
  assert.ok(Math.abs(quantile(now, before, 0.75) - 0.055) < 1e-9);
  assert.equal(quantile({ 0.1: 0, '+Inf': 5 }, {}, 0.99), 0.1);
});

test('values are shown in units that can be read', () => {
  assert.deepEqual([0, 0.0000123, 0.0123, 1.5, 90, 7200, null].map(duration), ['0 s', '12.3 µs', '12.3 ms', '1.5 s', '1.5 min', '2 h', '–']);
  assert.deepEqual([0, 3.14159, 1234.5, null].map(rate), ['0', '3.1', '1,235', '–']);
  assert.equal(grouped(18446744073709551615n), '18,446,744,073,709,551,615');
  assert.deepEqual([firstLine('a\nb\nc'), furtherLines('a\nb\nc'), firstLine(undefined)], ['a', 'b\nc', '']);
});
