/** What the bar, the shortcuts and the menus have in common: each thing a person can do, once. */
import { t } from '../lib/i18n.svelte';
import type { Meeting } from '../lib/meeting.svelte';
import { notices } from '../lib/notices.svelte';
import { preferences } from '../lib/prefs.svelte';
import { isTalkKey, shortcutOf, type Shortcut } from '../lib/shortcuts';

export type Panel = 'people' | 'chat';
export type Dialog = 'leave' | 'settings' | 'help' | 'truth';

export class Actions {
  panel = $state<Panel>();
  dialog = $state<Dialog>();
  #meeting: Meeting;
  #talking = false;

  constructor(meeting: Meeting) {
    this.#meeting = meeting;
  }

  toggle(panel: Panel): void {
    this.panel = this.panel === panel ? undefined : panel;
  }

  open(panel: Panel): void {
    this.panel = panel;
  }

  show(dialog: Dialog | undefined): void {
    this.dialog = dialog;
  }

  microphone(): Promise<void> {
    return this.#meeting.setMicrophone(!this.#meeting.media.microphone);
  }

  camera(): Promise<void> {
    return this.#meeting.media.setCamera(!this.#meeting.media.camera);
  }

  async share(): Promise<void> {
    const { media } = this.#meeting;
    if (!(await media.setScreen(!media.screen))) notices.toast(t('toast_share_failed'), 'warning');
  }

  async hand(): Promise<void> {
    const raised = this.#meeting.people.get(this.#meeting.me)?.hand ?? false;
    await this.#meeting.raiseHand(!raised);
  }

  keydown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !event.defaultPrevented && this.panel && !this.dialog && !document.querySelector(':popover-open')) {
      this.panel = undefined;
      return;
    }
    if (!preferences.shortcuts || this.dialog) return;
    if (isTalkKey(event)) return this.#talk(event);
    const shortcut = shortcutOf(event);
    if (!shortcut) return;
    event.preventDefault();
    this.#run(shortcut);
  };

  keyup = (event: KeyboardEvent): void => {
    if (event.key === ' ' && this.#talking) this.#hush();
  };

  /** The window lost the keyboard: nobody is left talking. */
  blur = (): void => {
    if (this.#talking) this.#hush();
  };

  #talk(event: KeyboardEvent): void {
    event.preventDefault();
    if (event.repeat || this.#meeting.media.microphone) return;
    this.#talking = true;
    void this.#meeting.setMicrophone(true).then(() => {
      if (!this.#talking) void this.#meeting.setMicrophone(false);
    });
  }

  #hush(): void {
    this.#talking = false;
    void this.#meeting.setMicrophone(false);
  }

  #run(shortcut: Shortcut): void {
    switch (shortcut) {
      case 'microphone':
        return void this.microphone();
      case 'camera':
        return void this.camera();
      case 'share':
        return void this.share();
      case 'hand':
        return void this.hand();
      case 'chat':
      case 'people':
        return this.toggle(shortcut);
      case 'leave':
      case 'help':
        return this.show(shortcut);
    }
  }
}
