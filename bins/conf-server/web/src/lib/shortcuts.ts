/** Single keys for the meeting; never while somebody types, and off when a person turned them off. */
export type Shortcut = 'microphone' | 'camera' | 'share' | 'hand' | 'chat' | 'people' | 'leave' | 'help';

export const KEYS: Record<string, Shortcut> = { m: 'microphone', v: 'camera', s: 'share', h: 'hand', c: 'chat', p: 'people', l: 'leave', '?': 'help' };

export function shortcutOf(event: KeyboardEvent): Shortcut | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return undefined;
  return writing(event.target) || inDialog(event.target) ? undefined : KEYS[event.key.toLowerCase()];
}

/** Space talks only where it does nothing else: not in fields, buttons, links, menus or dialogs. */
export function isTalkKey(event: KeyboardEvent): boolean {
  if (event.key !== ' ' || event.ctrlKey || event.metaKey || event.altKey) return false;
  const target = event.target instanceof Element ? event.target : undefined;
  return !writing(event.target) && !inDialog(event.target) && !target?.closest('button, a, summary, [role="menuitem"], [role="log"]');
}

function writing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest('input, textarea, select, [contenteditable="true"]') !== null;
}

function inDialog(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('dialog, [role="menu"]') !== null;
}
