/** When a microphone counts as silent, and when somebody as talking. */
import { expect, test } from 'vitest';
import { Judge } from '../src/lib/ears.svelte';

const speech = new Float32Array(64).fill(0.1);
const room = new Float32Array(64).fill(0.0004);
const nothing = new Float32Array(64);

function after(...parts: [Float32Array, number][]) {
  const judge = new Judge();
  let heard = { talking: false, silent: false };
  for (const [samples, times] of parts) for (let at = 0; at < times; at += 1) heard = judge.hear(samples);
  return heard;
}

test('somebody who speaks for a second talks; a cough or a door does not', () => {
  expect(after([room, 20], [speech, 8]).talking).toBe(true);
  expect(after([room, 20], [speech, 3], [room, 7]).talking).toBe(false);
});

test('the words stay while somebody thinks, and go when they are done', () => {
  expect(after([speech, 10], [room, 30]).talking).toBe(true);
  expect(after([speech, 10], [room, 70]).talking).toBe(false);
});

test('only complete silence for five seconds is a silent microphone, and one breath ends it', () => {
  expect(after([nothing, 49]).silent).toBe(false);
  expect(after([nothing, 50]).silent).toBe(true);
  expect(after([room, 200]).silent).toBe(false);
  expect(after([nothing, 60], [room, 1]).silent).toBe(false);
});
