/** What is wrong with a form, and where; the keyboard goes there. */
import { tick } from 'svelte';
import { ApiError } from '../lib/api';
import { explainPortal, fieldOf, type FieldName } from './words';

export class Form {
  busy = $state(false);
  /** By field. */
  wrong = $state.raw<Partial<Record<FieldName, string>>>({});
  /** About the whole. */
  problem = $state<string>();
  element: HTMLFormElement | undefined;

  /** `check` says what is wrong before anything is sent; `act` sends. */
  async send(event: SubmitEvent, check: () => Partial<Record<FieldName, string | undefined>>, act: () => Promise<void>): Promise<void> {
    event.preventDefault();
    if (this.busy) return;
    this.element = event.currentTarget as HTMLFormElement;
    this.problem = undefined;
    this.wrong = Object.fromEntries(Object.entries(check()).filter(([, text]) => text));
    if (Object.keys(this.wrong).length > 0) return this.#show();
    this.busy = true;
    try {
      await act();
    } catch (error) {
      this.refuse(error);
      await this.#show();
    } finally {
      this.busy = false;
    }
  }

  refuse(thrown: unknown): void {
    const error = toApiError(thrown);
    const field = fieldOf(error);
    if (field && this.element?.elements.namedItem(field)) this.wrong = { [field]: explainPortal(error) };
    else this.problem = explainPortal(error);
  }

  /** Somebody is mending it. */
  mend(field: FieldName): void {
    this.problem = undefined;
    if (this.wrong[field]) this.wrong = { ...this.wrong, [field]: undefined };
  }

  async #show(): Promise<void> {
    await tick();
    this.element?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }
}

export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError('unexpected', 0);
}
