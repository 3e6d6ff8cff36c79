/** The meeting websocket, version 1. Generated from conf-core's wire types. */
export type Role = 'moderator' | 'viewer';
export type Presence = 'joining' | 'connected' | 'reconnecting';
export type Microphone = 'off' | 'muted' | 'on';
export type Camera = 'off' | 'on';
export interface Participant { id: string; name: string; role: Role; presence: Presence; joined_at: string; hand: boolean; microphone: Microphone; camera: Camera; screen: boolean }
export interface ChatMessage { id: number; from: string; name: string; sent_at: string; text: string }
export interface Snapshot { meeting: { id: string; started_at: string }; limits: { participants: number; chat_chars: number; name_chars: number }; participants: Participant[]; chat: ChatMessage[] }
export type Command = { type: 'send_chat'; text: string } | { type: 'raise_hand'; raised: boolean } | { type: 'mute'; participant: string } | { type: 'mute_all' } | { type: 'remove'; participant: string } | { type: 'set_role'; participant: string; role: Role } | { type: 'leave' } | { type: 'end' };
export type ClientMessage = { type: 'hello'; version: number; room: string; participant: string; secret: string; resume_from: number | null } | { type: 'command'; request: number; command: Command } | { type: 'ping' };
export type Event = { type: 'participant_joined'; participant: Participant } | { type: 'participant_changed'; participant: Participant } | { type: 'participant_left'; id: string; reason: 'left' | 'lost' | 'removed' } | { type: 'chat'; message: ChatMessage } | { type: 'muted_by'; participant: string } | { type: 'meeting_ended'; reason: EndReason };
export type EndReason = 'moderator' | 'empty' | 'operator' | 'too_long';
export type Refusal = { type: string; limit?: number };
export type Goodbye = 'ended' | 'removed' | 'left' | 'replaced' | 'unknown' | 'version' | 'too_slow';
export type ServerMessage = { type: 'welcome'; sequence: number; you: string; snapshot: Snapshot } | { type: 'resumed'; sequence: number } | { type: 'event'; sequence: number; event: Event } | { type: 'done'; request: number } | { type: 'refused'; request: number; refusal: Refusal } | { type: 'pong' } | { type: 'goodbye'; reason: Goodbye };
