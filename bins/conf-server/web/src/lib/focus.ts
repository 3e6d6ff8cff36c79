/** Where the keyboard goes when a dialog or panel is closed: back to what opened it. */
import { onDestroy, tick } from 'svelte';

/** Called while a component is set up; acts when it is gone, unless the focus went somewhere else by then. */
export function returnFocus(): void {
  const opener = document.activeElement;
  onDestroy(() => {
    void tick().then(() => {
      if (document.activeElement === document.body && opener instanceof HTMLElement && opener.isConnected) opener.focus();
    });
  });
}
