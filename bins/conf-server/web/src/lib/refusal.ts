/** Why the server did not do what was asked, in a person's words: for the meeting's refusals and for HTTP errors. */
import type { ApiError } from './api';
import { t } from './i18n.svelte';
import type { Refusal } from './wire';

/** The words for a refusal of the meeting, with its limit. */
export function explain(refusal: Refusal): string {
  switch (refusal.type) {
    case 'meeting_full':
      return t('page_full', { limit: refusal.limit });
    case 'meeting_ended':
      return t('refusal_ended');
    case 'name_invalid':
      return t('refusal_name', { limit: refusal.limit });
    case 'participant_taken':
    case 'connection_taken':
      return t('page_replaced');
    case 'participant_unknown':
      return t('refusal_gone');
    case 'secret_wrong':
    case 'connection_unknown':
      return t('refusal_place');
    case 'removed':
      return t('page_removed');
    case 'denied':
      return t('page_denied');
    case 'lobby_full':
      return t('refusal_lobby_full', { limit: refusal.limit });
    case 'still_waiting':
      return t('refusal_still_waiting');
    case 'not_allowed':
      return t('refusal_forbidden');
    case 'last_moderator':
      return t('refusal_last_moderator');
    case 'removes_itself':
      return t('refusal_removes_itself');
    case 'chat_empty':
      return t('refusal_chat_empty');
    case 'chat_too_long':
      return t('chat_too_long', { limit: refusal.limit });
    case 'too_many_requests':
      return t('refusal_too_many', { seconds: Math.max(1, Math.ceil(refusal.retry_after_ms / 1_000)) });
    default:
      return unknown(refusal);
  }
}

/** The words for an error that guests can meet, with its limit; `portal/words.ts` has those of accounts. */
export function explainError(error: ApiError): string {
  const limit = error.limit ?? 0;
  switch (error.code) {
    case 'offline':
      return t('error_offline');
    case 'room_unknown':
      return t('page_missing');
    case 'meeting_full':
      return t('page_full', { limit });
    case 'lobby_full':
      return t('refusal_lobby_full', { limit });
    case 'too_many_meetings':
      return t('error_too_many_meetings', { limit });
    case 'name_invalid':
      return t('refusal_name', { limit });
    case 'secret_wrong':
    case 'participant_gone':
      return t('refusal_place');
    case 'too_many_requests':
      return t('error_too_many_requests', { seconds: Math.ceil(error.retryAfter ?? 5) });
    case 'host_foreign':
    case 'origin_foreign':
    case 'origin_missing':
      return t('error_origin');
    case 'too_many_sockets':
    case 'unavailable':
      return t('error_unavailable');
    case 'body_invalid':
    case 'body_too_large':
    case 'not_json':
    case 'query_invalid':
    case 'not_found':
    case 'method_not_allowed':
    case 'unreadable':
      return t('error_mismatch');
    default:
      return t('error_unexpected');
  }
}

/** A newer server may refuse for reasons that this page does not know; the compiler allows no known one here. */
function unknown(_: never): string {
  return t('refusal_other');
}
