/**
 * Listens to our own microphone, in this browser only, for the two things a person cannot hear themself:
 * that they talk while muted, and that the microphone gives nothing at all.
 */
import { loudness, sample } from './level';

export class Ears {
  /** Speech is heard; means something only while muted. */
  talking = $state(false);
  /** Nothing is heard, not even the noise of a quiet room; means something only while unmuted. */
  silent = $state(false);
  #track: MediaStreamTrack | undefined;
  #stop: (() => void) | undefined;
  #dismissed = false;

  /** Listens to this track from now on, or to none. Told again for the same track, nothing changes. */
  follow(track: MediaStreamTrack | undefined): void {
    if (track === this.#track) return;
    this.#stop?.();
    this.#track = track;
    this.reset();
    this.#stop = track && this.#listen(track);
  }

  /** After a switch: what was said before counts no more, and what was dismissed may be said again. */
  reset(): void {
    this.#dismissed = false;
    this.talking = this.silent = false;
  }

  /** Not again until the microphone is switched. */
  dismiss(): void {
    this.reset();
    this.#dismissed = true;
  }

  #listen(track: MediaStreamTrack): () => void {
    const judge = new Judge();
    return sample(track, EVERY_MS, (samples) => {
      const heard = judge.hear(samples);
      if (this.#dismissed) return;
      this.talking = heard.talking;
      this.silent = heard.silent;
    });
  }
}

/** What a row of levels means. A word is not a cough: speech has to last; silence has to be complete. */
export class Judge {
  #loud: boolean[] = [];
  #zeros = 0;
  #hold = 0;

  hear(samples: Float32Array): { talking: boolean; silent: boolean } {
    this.#zeros = samples.every((sample) => Math.abs(sample) < NOISE) ? this.#zeros + 1 : 0;
    this.#loud = [...this.#loud, loudness(samples) >= SPEECH].slice(-WINDOW);
    if (this.#loud.filter(Boolean).length >= WINDOW * 0.6) this.#hold = HOLD;
    else this.#hold = Math.max(0, this.#hold - 1);
    return { talking: this.#hold > 0, silent: this.#zeros >= SILENCE };
  }
}

const EVERY_MS = 100;
/** In tenths of a second: what is looked at, how long the words stay, how long nothing makes a silence. */
const WINDOW = 10;
const HOLD = 60;
const SILENCE = 50;
/** About -35 dBFS. */
const SPEECH = 0.42;
/** -100 dBFS: even a very good microphone in a very quiet room gives more. */
const NOISE = 1e-5;
