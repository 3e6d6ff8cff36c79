/** Why the server did not do what was asked, in a person's words. */
import { t } from './i18n.svelte';
import type { Refusal } from './wire';

/** The words for a refusal, with its limit. */
export function explain(refusal: Refusal): string {
  switch (refusal.type) {
    case 'chat_too_long':
      return t('chat_too_long', { limit: refusal.limit });
    case 'too_many_requests':
      return t('refusal_too_many', { seconds: Math.max(1, Math.ceil(refusal.retry_after_ms / 1_000)) });
    case 'not_allowed':
      return t('refusal_forbidden');
    case 'last_moderator':
      return t('refusal_last_moderator');
    case 'participant_unknown':
      return t('refusal_gone');
    default:
      return t('refusal_other');
  }
}
