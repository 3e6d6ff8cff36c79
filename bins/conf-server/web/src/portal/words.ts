/** Why the server did not do what somebody with an account asked, in a person's words; and the field that has to change. */
import type { ApiError } from '../lib/api';
import { t } from '../lib/i18n.svelte';
import { explainError } from '../lib/refusal';

export function explainPortal(error: ApiError): string {
  const limit = error.limit ?? 0;
  switch (error.code) {
    case 'sign_in_wrong':
      return t('signin_wrong');
    case 'not_signed_in':
      return t('signin_ended');
    case 'password_wrong':
      return t('me_password_wrong');
    case 'password_unfit':
      return passwordUnfit(error.reason, limit);
    case 'link_unknown':
      return t('welcome_unknown');
    case 'email_invalid':
      return t('accounts_email_invalid');
    case 'email_taken':
      return t('accounts_email_taken');
    case 'title_invalid':
      return t('room_title_invalid', { limit });
    case 'too_many_rooms':
      return t('rooms_full', { limit });
    case 'busy':
      return t('signin_crowded', { seconds: Math.ceil(error.retryAfter ?? 5) });
    case 'last_administrator':
      return t('accounts_last_administrator');
    case 'account_unknown':
      return t('accounts_gone');
    case 'room_unknown':
      return t('room_gone');
    case 'not_allowed':
      return t('accounts_forbidden');
    default:
      return explainError(error);
  }
}

export type FieldName = 'name' | 'email' | 'password' | 'current' | 'title';

/** Which field of a form an error is about. */
export function fieldOf(error: ApiError): FieldName | undefined {
  switch (error.code) {
    case 'name_invalid':
      return 'name';
    case 'email_invalid':
    case 'email_taken':
      return 'email';
    case 'password_unfit':
      return 'password';
    case 'password_wrong':
      return 'current';
    case 'title_invalid':
      return 'title';
    default:
      return undefined;
  }
}

export const SHORTEST_PASSWORD = 12;

/** What can be said about a new password before it is sent; the server has the last word. */
export function passwordProblem(password: string): string | undefined {
  return [...password].length < SHORTEST_PASSWORD ? passwordUnfit('too_short', SHORTEST_PASSWORD) : undefined;
}

export function emailProblem(email: string): string | undefined {
  return /^[^\s@]+@[^\s@]+$/.test(email.trim()) ? undefined : t('accounts_email_invalid');
}

export function nameProblem(name: string): string | undefined {
  return name.trim() === '' ? t('accounts_name_missing') : undefined;
}

function passwordUnfit(reason: string | undefined, limit: number): string {
  if (reason === 'too_short') return t('password_short', { limit });
  return reason === 'too_long' ? t('password_long', { limit }) : t('password_simple');
}
