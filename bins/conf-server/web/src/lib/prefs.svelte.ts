/**
 * What a person chose for this browser: theme, language, shortcuts, sounds, devices.
 *
 * Written to localStorage (`conf.preferences`) only once something was chosen; it never leaves the browser.
 */
export type Theme = 'system' | 'light' | 'dark';

interface Stored {
  theme?: Theme;
  language?: string;
  shortcuts?: boolean;
  sounds?: boolean;
  microphone?: string;
  camera?: string;
  speaker?: string;
}

const KEY = 'conf.preferences';

class Preferences {
  theme = $state<Theme>('system');
  /** `undefined`: as the browser says. */
  language = $state<string>();
  shortcuts = $state(true);
  sounds = $state(true);
  microphone = $state<string>();
  camera = $state<string>();
  speaker = $state<string>();

  constructor() {
    const stored = read();
    this.theme = stored.theme ?? 'system';
    this.language = stored.language;
    this.shortcuts = stored.shortcuts ?? true;
    this.sounds = stored.sounds ?? true;
    this.microphone = stored.microphone;
    this.camera = stored.camera;
    this.speaker = stored.speaker;
    this.#paint();
  }

  change(changes: Stored): void {
    Object.assign(this, changes);
    this.#paint();
    try {
      const { theme, language, shortcuts, sounds, microphone, camera, speaker } = this;
      localStorage.setItem(KEY, JSON.stringify({ theme, language, shortcuts, sounds, microphone, camera, speaker }));
    } catch {
      // Storage is switched off: the choice holds until the page is closed.
    }
  }

  #paint(): void {
    const root = document.documentElement;
    if (this.theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = this.theme;
  }
}

function read(): Stored {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Stored) : {};
  } catch {
    return {};
  }
}

export const preferences = new Preferences();
