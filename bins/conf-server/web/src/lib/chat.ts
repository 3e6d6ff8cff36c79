/** Puts messages together: one heading for what one person wrote within a few minutes, one line for each day. */
import type { ChatMessage } from './wire';

export interface MessageGroup {
  key: number;
  from: string;
  name: string;
  at: string;
  /** The first group of a day other than the one before. */
  newDay: boolean;
  messages: ChatMessage[];
}

export function group(messages: readonly ChatMessage[]): MessageGroup[] {
  const groups: MessageGroup[] = [];
  for (const message of messages) {
    const last = groups.at(-1);
    const before = last?.messages.at(-1);
    const newDay = before !== undefined && dayOf(before.sent_at) !== dayOf(message.sent_at);
    if (last && before && last.from === message.from && !newDay && minutes(before.sent_at, message.sent_at) < TOGETHER_MINUTES) {
      last.messages.push(message);
    } else {
      groups.push({ key: message.id, from: message.from, name: message.name, at: message.sent_at, newDay, messages: [message] });
    }
  }
  return groups;
}

function dayOf(at: string): string {
  return new Date(at).toDateString();
}

function minutes(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 60_000;
}

const TOGETHER_MINUTES = 3;
