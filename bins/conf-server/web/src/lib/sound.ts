/** Short sounds that the page makes itself, on the chosen speaker. */
import { preferences } from './prefs.svelte';

/** A note: hertz, and when it begins, in seconds. */
type Note = readonly [hertz: number, at: number];

const CHIMES = {
  /** To the one who waited: the door is open. */
  admitted: [[523.25, 0], [659.26, 0.14], [783.99, 0.28]],
  /** To moderators: somebody is at the door. */
  knock: [[587.33, 0], [587.33, 0.18]],
} as const satisfies Record<string, readonly Note[]>;

/** Two soft notes; resolves when they have faded. */
export function testSound(speaker?: string): Promise<void> {
  return play([[523.25, 0], [783.99, 0.22]], 0.22, speaker);
}

/** Heard only by those who have not turned sounds off; a browser that holds sound back makes none. */
export function chime(kind: keyof typeof CHIMES): void {
  if (preferences.sounds) void play(CHIMES[kind], 0.14, preferences.speaker).catch(() => undefined);
}

async function play(notes: readonly Note[], loudness: number, speaker?: string): Promise<void> {
  const context = new AudioContext();
  const routed = context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
  if (speaker && routed.setSinkId) await routed.setSinkId(speaker).catch(() => undefined);
  const begin = context.currentTime;
  for (const [frequency, at] of notes) {
    const tone = new OscillatorNode(context, { frequency, type: 'sine' });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, begin + at);
    gain.gain.linearRampToValueAtTime(loudness, begin + at + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, begin + at + 0.7);
    tone.connect(gain).connect(context.destination);
    tone.start(begin + at);
    tone.stop(begin + at + 0.75);
  }
  await new Promise((done) => setTimeout(done, 1_100));
  await context.close();
}
