// The meeting websocket's types, generated from conf-core/src/wire.rs. Do not edit.
// To write it anew: UPDATE=1 cargo test -p conf-core --features ts

/** Version of the protocol that `hello` carries. */
export const VERSION = 3;

/**
 * What a role may allow.
 */
export type Action = "chat" | "raise_hand" | "mute" | "remove" | "set_role" | "lobby" | "end" | "leave";

/**
 * Lets in somebody who waits.
 */
export type Admit = {
/**
 * Whom.
 */
participant: ParticipantId, };

/**
 * State of a camera.
 */
export type Camera = "off" | "on";

/**
 * One chat message.
 */
export type ChatMessage = {
/**
 * 1, 2, 3… in the order of the meeting.
 */
id: number,
/**
 * Who wrote it.
 */
from: ParticipantId,
/**
 * Their name then; they may have left since.
 */
name: string,
/**
 * When it arrived.
 */
sent_at: string,
/**
 * Plain text.
 */
text: string, };

/**
 * Somebody wrote something.
 */
export type ChatSent = {
/**
 * What.
 */
message: ChatMessage, };

/**
 * What a client sends.
 */
export type ClientMessage = { "type": "hello" } & Hello | { "type": "command" } & Request | { "type": "ping" };

/**
 * What a participant can ask of a meeting.
 */
export type Command = { "type": "send_chat" } & SendChat | { "type": "raise_hand" } & RaiseHand | { "type": "mute" } & Mute | { "type": "mute_all" } | { "type": "remove" } & Remove | { "type": "set_role" } & SetRole | { "type": "admit" } & Admit | { "type": "admit_all" } | { "type": "deny" } & Deny | { "type": "set_lobby" } & SetLobby | { "type": "leave" } | { "type": "end" };

/**
 * Turns away somebody who waits.
 */
export type Deny = {
/**
 * Whom.
 */
participant: ParticipantId, };

/**
 * Why a meeting ended.
 */
export type EndReason = "moderator" | "empty" | "operator" | "too_long";

/**
 * What happened in a meeting.
 */
export type Event = { "type": "participant_joined" } & ParticipantJoined | { "type": "participant_changed" } & ParticipantChanged | { "type": "participant_left" } & ParticipantLeft | { "type": "chat" } & ChatSent | { "type": "muted_by" } & MutedBy | { "type": "waiting_added" } & WaitingAdded | { "type": "waiting_removed" } & WaitingRemoved | { "type": "listeners_changed" } & ListenersChanged | { "type": "options_changed" } & OptionsChanged | { "type": "meeting_ended" } & MeetingEnded;

/**
 * Why the connection ends.
 */
export type Goodbye = "ended" | "removed" | "denied" | "left" | "replaced" | "unknown" | "version" | "too_slow";

/**
 * Who the client is.
 */
export type Hello = {
/**
 * The protocol it speaks.
 */
version: number,
/**
 * Code of the room, from the link.
 */
room: string,
/**
 * Given at joining.
 */
participant: ParticipantId,
/**
 * Given at joining.
 */
secret: Secret,
/**
 * Number of the last event it has; `null` asks for a snapshot.
 */
resume_from: number | null, };

/**
 * How somebody went.
 */
export type LeftReason = "left" | "lost" | "removed";

/**
 * The limits a client shows or checks before it asks.
 */
export type Limits = {
/**
 * People at the same time.
 */
participants: number,
/**
 * Characters of a chat message.
 */
chat_chars: number,
/**
 * Characters of a name.
 */
name_chars: number,
/**
 * Chat messages the meeting remembers.
 */
chat_history: number, };

/**
 * There are more or fewer who listen without being participants.
 */
export type ListenersChanged = {
/**
 * How many.
 */
listeners: number, };

/**
 * Whether those who come wait until a moderator lets them in.
 */
export type Lobby = "off" | "ask";

/**
 * The meeting is over.
 */
export type MeetingEnded = {
/**
 * Why.
 */
reason: EndReason, };

/**
 * One run of a room.
 */
export type MeetingId = string;

/**
 * The meeting itself.
 */
export type MeetingInfo = {
/**
 * Which one.
 */
id: MeetingId,
/**
 * When it began.
 */
started_at: string,
/**
 * As now in force.
 */
options: RoomOptions, };

/**
 * State of a microphone.
 */
export type Microphone = "off" | "muted" | "on";

/**
 * Mutes somebody's microphone. Nobody can be unmuted from afar.
 */
export type Mute = {
/**
 * Whom.
 */
participant: ParticipantId, };

/**
 * A moderator muted the microphone of whoever receives this.
 */
export type MutedBy = {
/**
 * Who did it.
 */
participant: ParticipantId, };

/**
 * The options of the meeting are others now.
 */
export type OptionsChanged = {
/**
 * All of them.
 */
options: RoomOptions, };

/**
 * One person's visit, as everybody in the meeting sees it.
 */
export type Participant = {
/**
 * Who.
 */
id: ParticipantId,
/**
 * The name they gave.
 */
name: string,
/**
 * Moderator or viewer.
 */
role: Role,
/**
 * Whether any connection of theirs lives.
 */
presence: Presence,
/**
 * When they came.
 */
joined_at: string,
/**
 * Hand raised.
 */
hand: boolean,
/**
 * Their microphone.
 */
microphone: Microphone,
/**
 * Their camera.
 */
camera: Camera,
/**
 * Shares a screen or window.
 */
screen: boolean, };

/**
 * Something about somebody changed.
 */
export type ParticipantChanged = {
/**
 * All of them, as they are now.
 */
participant: Participant, };

/**
 * One person's visit to a meeting.
 */
export type ParticipantId = string;

/**
 * Somebody came.
 */
export type ParticipantJoined = {
/**
 * Who.
 */
participant: Participant, };

/**
 * Somebody is no longer here.
 */
export type ParticipantLeft = {
/**
 * Who.
 */
id: ParticipantId,
/**
 * How.
 */
reason: LeftReason, };

/**
 * Whether a participant can be reached.
 */
export type Presence = "joining" | "connected" | "reconnecting";

/**
 * Raises the own hand or takes it down.
 */
export type RaiseHand = {
/**
 * Up or down.
 */
raised: boolean, };

/**
 * Why a meeting refused a request. Shown to whoever asked, so it names no other person; the
 * client words it. After a refusal nothing has changed.
 */
export type Refusal = { "type": "meeting_full",
/**
 * How many it takes.
 */
limit: number, } | { "type": "lobby_full",
/**
 * How many it takes.
 */
limit: number, } | { "type": "meeting_ended" } | { "type": "name_invalid",
/**
 * Characters that fit.
 */
limit: number, } | { "type": "participant_taken" } | { "type": "participant_unknown" } | { "type": "secret_wrong" } | { "type": "removed" } | { "type": "denied" } | { "type": "still_waiting" } | { "type": "connection_taken" } | { "type": "connection_unknown" } | { "type": "not_allowed",
/**
 * What was asked.
 */
action: Action, } | { "type": "last_moderator" } | { "type": "removes_itself" } | { "type": "chat_empty" } | { "type": "chat_too_long",
/**
 * Characters that fit.
 */
limit: number, } | { "type": "too_many_requests",
/**
 * Milliseconds until the next one is taken.
 */
retry_after_ms: number, };

/**
 * Puts somebody out of the meeting.
 */
export type Remove = {
/**
 * Whom.
 */
participant: ParticipantId, };

/**
 * A command with the client's number for it.
 */
export type Request = {
/**
 * Returned in the answer.
 */
request: number,
/**
 * What to do.
 */
command: Command, };

/**
 * What a participant is in a meeting.
 */
export type Role = "moderator" | "viewer";

/**
 * How the meetings of a room begin.
 */
export type RoomOptions = {
/**
 * Viewers are muted when they first switch their microphone on.
 */
mute_on_start: boolean,
/**
 * Who has to wait.
 */
lobby: Lobby,
/**
 * Who must be there first.
 */
start: Start, };

/**
 * A random text that one participant's client keeps; 16 to 128 visible ASCII characters.
 *
 * Prints as `…`, and is compared in a time that does not depend on where two texts differ.
 */
export type Secret = string;

/**
 * Writes to everybody.
 */
export type SendChat = {
/**
 * Plain text; line breaks stay.
 */
text: string, };

/**
 * What a client receives.
 */
export type ServerMessage = { "type": "waiting",
/**
 * Place in the queue; 1 is next.
 */
position: number,
/**
 * What for.
 */
reason: WaitReason, } | { "type": "welcome" } & Welcome | { "type": "resumed",
/**
 * The number the client gave.
 */
sequence: number, } | { "type": "event",
/**
 * One more than the one before.
 */
sequence: number,
/**
 * What.
 */
event: Event, } | { "type": "done",
/**
 * The client's number.
 */
request: number, } | { "type": "refused",
/**
 * The client's number.
 */
request: number,
/**
 * Why.
 */
refusal: Refusal, } | { "type": "pong" } | { "type": "goodbye",
/**
 * Why.
 */
reason: Goodbye, };

/**
 * Switches the lobby of this meeting on or off. Off lets all in.
 */
export type SetLobby = {
/**
 * What it becomes.
 */
lobby: Lobby, };

/**
 * Makes somebody moderator or viewer.
 */
export type SetRole = {
/**
 * Whom.
 */
participant: ParticipantId,
/**
 * What they become.
 */
role: Role, };

/**
 * Everything a client has to know.
 */
export type Snapshot = {
/**
 * The meeting itself.
 */
meeting: MeetingInfo,
/**
 * What it takes.
 */
limits: Limits,
/**
 * Who is here, longest present first.
 */
participants: Array<Participant>,
/**
 * Who waits, longest first; only moderators are told.
 */
waiting: Array<Waiting>,
/**
 * How many listen without being participants.
 */
listeners: number,
/**
 * What was written, oldest first.
 */
chat: Array<ChatMessage>, };

/**
 * Who begins a meeting.
 */
export type Start = "anyone" | "owner";

/**
 * Why somebody waits.
 */
export type WaitReason = "lobby" | "not_started";

/**
 * Somebody who waits, as moderators see it.
 */
export type Waiting = {
/**
 * Who; the same when they are let in.
 */
id: ParticipantId,
/**
 * The name they gave.
 */
name: string,
/**
 * When they came.
 */
since: string, };

/**
 * Somebody waits, behind all who waited before. A participant who becomes moderator is told of
 * each who waits; one who becomes viewer is told no more, and forgets the list.
 */
export type WaitingAdded = {
/**
 * Who.
 */
waiting: Waiting, };

/**
 * Somebody waits no more: let in, turned away, or gone.
 */
export type WaitingRemoved = {
/**
 * Who.
 */
id: ParticipantId, };

/**
 * The state of the meeting for one participant.
 */
export type Welcome = {
/**
 * Number of the newest event in the snapshot.
 */
sequence: number,
/**
 * Which of the participants the client is.
 */
you: ParticipantId,
/**
 * Everything.
 */
snapshot: Snapshot, };
