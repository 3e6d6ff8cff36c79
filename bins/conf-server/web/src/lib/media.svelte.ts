/**
 * Sound and picture: the LiveKit room, turned into state that the page can draw.
 *
 * The room reconnects by itself where it can; where it gives up, a fresh token is fetched and it starts again
 * with the devices that were on.
 */
import {
  ConnectionQuality,
  ConnectionState,
  DisconnectReason,
  LocalAudioTrack,
  LocalVideoTrack,
  LogLevel,
  LoggerNames,
  Room,
  RoomEvent,
  Track,
  VideoPresets,
  type Participant,
  getLogger,
} from 'livekit-client';
import { SvelteMap } from 'svelte/reactivity';
import { problem, type Handed, type Kind, type Problem } from './devices.svelte';
import { Ears } from './ears.svelte';
import { preferences } from './prefs.svelte';
import type { Visit } from './visit';

/** What can be seen and heard of one participant. */
export interface Seen {
  name: string;
  camera: Track | undefined;
  screen: Track | undefined;
  microphone: 'off' | 'muted' | 'on';
  weak: boolean;
  /** My connection does not take these pictures now. */
  held: { camera: boolean; screen: boolean };
}

export type MediaState = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed';

export interface MediaOptions {
  url: string;
  token: string;
  tracks: Visit['tracks'];
  /** The room lets me start muted: a microphone that was on comes along, silent. */
  muted: () => boolean;
  /** A fresh token, for a new start after the old connection was given up. */
  renew: () => Promise<string>;
  replaced: () => void;
}

export class Media {
  state = $state<MediaState>('connecting');
  seen = new SvelteMap<string, Seen>();
  /** How loud each speaker is, 0 to 1; who is silent is not in it. */
  levels = new SvelteMap<string, number>();
  microphone = $state(false);
  camera = $state(false);
  screen = $state(false);
  busy = $state<{ microphone: boolean; camera: boolean; screen: boolean }>({ microphone: false, camera: false, screen: false });
  problem = $state<{ kind: Kind; problem: Problem }>();
  /** The browser holds remote sound back until a click. */
  blocked = $state(false);
  readonly ears = new Ears();
  readonly room: Room;

  #options: MediaOptions;
  #pending: { microphone?: LocalAudioTrack; camera?: LocalVideoTrack } = {};
  #wanted = { microphone: false, camera: false };
  /** What is wanted is what is published; not while a connection is being made. */
  #settled = false;
  #refreshing = false;
  #tries = 0;
  #closed = false;
  #sounds = new Map<Track, HTMLMediaElement>();

  constructor(options: MediaOptions) {
    this.#options = options;
    this.room = new Room({
      adaptiveStream: true,
      dynacast: true,
      disconnectOnPageLeave: true,
      stopLocalTrackOnUnpublish: true,
      audioCaptureDefaults: { deviceId: ideal(preferences.microphone), echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      videoCaptureDefaults: { deviceId: ideal(preferences.camera), resolution: VideoPresets.h720.resolution },
      audioOutput: preferences.speaker ? { deviceId: preferences.speaker } : undefined,
      publishDefaults: { simulcast: true, videoCodec: 'vp8', dtx: true, red: false },
    });
    this.#adopt(options.tracks);
    this.#listen();
  }

  async start(): Promise<void> {
    await this.#connect(this.#options.token);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.state = 'closed';
    this.#pending.microphone?.stop();
    this.#pending.camera?.stop();
    this.ears.follow(undefined);
    for (const [track, element] of this.#sounds) track.detach(element);
    await this.room.disconnect();
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.#wanted.microphone = on;
    await this.#device('microphone', () => (on && this.#options.muted() ? this.#unmute() : this.room.localParticipant.setMicrophoneEnabled(on)));
  }

  /** Where people start muted, the server mutes what is first published: so that comes silent, and sounds then. */
  async #unmute(): Promise<void> {
    const me = this.room.localParticipant;
    if (!me.getTrackPublication(Track.Source.Microphone)) {
      const [track] = await me.createTracks({ audio: true });
      if (!(track instanceof LocalAudioTrack)) return;
      await track.mute();
      await me.publishTrack(track, { source: Track.Source.Microphone });
    }
    await me.setMicrophoneEnabled(true);
  }

  async setCamera(on: boolean): Promise<void> {
    this.#wanted.camera = on;
    await this.#device('camera', () => this.room.localParticipant.setCameraEnabled(on));
  }

  /** Resolves to false if it did not work; a person's own "cancel" is not a failure. */
  async setScreen(on: boolean): Promise<boolean> {
    if (this.busy.screen) return true;
    this.busy.screen = true;
    try {
      const capture = { audio: true, systemAudio: 'include', surfaceSwitching: 'include', selfBrowserSurface: 'exclude', contentHint: 'detail' } as const;
      await this.room.localParticipant.setScreenShareEnabled(on, capture);
      return true;
    } catch (error) {
      return problem(error) === 'denied';
    } finally {
      this.busy.screen = false;
      this.#refresh();
    }
  }

  async choose(kind: 'microphone' | 'camera' | 'speaker', id: string): Promise<void> {
    preferences.change({ [kind]: id });
    try {
      await this.room.switchActiveDevice(DEVICE_KINDS[kind], id, false);
    } catch (error) {
      if (kind !== 'speaker') this.problem = { kind, problem: problem(error) };
    }
    this.#refresh();
  }

  async startSound(): Promise<void> {
    await this.room.startAudio().catch(() => undefined);
    this.blocked = !this.room.canPlaybackAudio;
  }

  async #device(kind: Kind, act: () => Promise<unknown>): Promise<void> {
    if (this.busy[kind]) return;
    this.busy[kind] = true;
    this.problem = undefined;
    if (kind === 'microphone') this.ears.reset();
    try {
      await act();
    } catch (error) {
      this.#wanted[kind] = false;
      this.problem = { kind, problem: navigator.mediaDevices ? problem(error) : 'insecure' };
    } finally {
      this.busy[kind] = false;
      this.#refresh();
    }
  }

  /** Devices that were running before the join go on running; those that were just starting start again here. */
  #adopt({ microphone, camera }: Visit['tracks']): void {
    if (isLive(microphone)) this.#pending.microphone = new LocalAudioTrack(microphone, microphone.getConstraints(), false);
    if (isLive(camera)) this.#pending.camera = new LocalVideoTrack(camera, camera.getConstraints(), false);
    this.#wanted = {
      microphone: !this.#options.muted() && (microphone === 'wanted' || this.#pending.microphone !== undefined),
      camera: camera === 'wanted' || this.#pending.camera !== undefined,
    };
    this.#refresh();
  }

  async #connect(token: string): Promise<void> {
    this.#settled = false;
    try {
      await this.room.connect(this.#options.url, token, { maxRetries: 1 });
      if (this.#closed) return void this.room.disconnect();
      this.#tries = 0;
      this.state = 'connected';
      this.blocked = !this.room.canPlaybackAudio;
      await this.#publish();
    } catch {
      this.#again();
    }
  }

  async #publish(): Promise<void> {
    const me = this.room.localParticipant;
    const { microphone, camera } = this.#pending;
    const sent: Promise<unknown>[] = [];
    if (microphone) {
      if (this.#options.muted()) await microphone.mute();
      sent.push(me.publishTrack(microphone, { source: Track.Source.Microphone }));
    }
    else if (this.#wanted.microphone) sent.push(this.#device('microphone', () => me.setMicrophoneEnabled(true)));
    if (camera) sent.push(me.publishTrack(camera, { source: Track.Source.Camera }));
    else if (this.#wanted.camera) sent.push(this.#device('camera', () => me.setCameraEnabled(true)));
    await Promise.allSettled(sent);
    this.#pending = {};
    this.#settled = true;
    this.#refresh();
  }

  #again(): void {
    if (this.#closed) return;
    this.#tries += 1;
    this.state = this.#tries > 3 ? 'failed' : 'reconnecting';
    const wait = Math.min(5_000, 400 * 2 ** (this.#tries - 1));
    setTimeout(() => void this.#renewed(), wait);
  }

  async #renewed(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#connect(await this.#options.renew());
    } catch {
      this.#again();
    }
  }

  #listen(): void {
    const refresh = () => this.#refresh();
    for (const event of REFRESHING) this.room.on(event, refresh);
    this.room
      .on(RoomEvent.ActiveSpeakersChanged, (speakers) => this.#speaking(speakers))
      .on(RoomEvent.TrackSubscribed, (track) => this.#hear(track))
      .on(RoomEvent.TrackUnsubscribed, (track) => this.#deafen(track))
      .on(RoomEvent.AudioPlaybackStatusChanged, () => (this.blocked = !this.room.canPlaybackAudio))
      .on(RoomEvent.TrackMuted, (publication) => this.#unplugged(publication.track))
      .on(RoomEvent.ConnectionStateChanged, (state) => this.#changed(state))
      .on(RoomEvent.Disconnected, (reason) => this.#disconnected(reason));
  }

  #changed(state: ConnectionState): void {
    if (this.#closed) return;
    if (state === ConnectionState.Connected) this.state = 'connected';
    if (state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting) this.state = 'reconnecting';
  }

  #disconnected(reason: DisconnectReason | undefined): void {
    this.levels.clear();
    this.#refresh();
    if (this.#closed || this.state === 'connecting') return;
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) return this.#options.replaced();
    if (reason === DisconnectReason.PARTICIPANT_REMOVED || reason === DisconnectReason.ROOM_DELETED) return;
    if (reason !== DisconnectReason.CLIENT_INITIATED && this.state !== 'reconnecting') this.#again();
    else if (this.#tries === 0) this.#again();
  }

  #hear(track: Track): void {
    if (track.kind === Track.Kind.Audio && !this.#sounds.has(track)) this.#sounds.set(track, track.attach());
  }

  #deafen(track: Track): void {
    track.detach();
    this.#sounds.delete(track);
  }

  #speaking(speakers: Participant[]): void {
    const now = new Map(speakers.map((speaker) => [speaker.identity, speaker.audioLevel]));
    for (const identity of this.levels.keys()) if (!now.has(identity)) this.levels.delete(identity);
    for (const [identity, level] of now) this.levels.set(identity, level);
  }

  /** A device of ours that is gone was muted by the library: say so instead of leaving it at that. */
  #unplugged(track: Track | undefined): void {
    if (!(track instanceof LocalAudioTrack || track instanceof LocalVideoTrack) || track.mediaStreamTrack.readyState !== 'ended') return;
    this.problem = { kind: track.kind === Track.Kind.Audio ? 'microphone' : 'camera', problem: 'missing' };
  }

  /** Reads the whole room once per turn of the event loop, however many events came. */
  #refresh(): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    queueMicrotask(() => {
      this.#refreshing = false;
      this.#read();
    });
  }

  #read(): void {
    const me = this.room.localParticipant;
    const mine = look(me);
    mine.camera ??= this.#pending.camera;
    if (this.#pending.microphone && mine.microphone === 'off') mine.microphone = this.#options.muted() ? 'muted' : 'on';
    this.microphone = mine.microphone === 'on';
    this.camera = mine.camera !== undefined;
    this.screen = mine.screen !== undefined;
    this.ears.follow(this.#closed ? undefined : me.getTrackPublication(Track.Source.Microphone)?.track?.mediaStreamTrack);
    if (this.#settled) this.#wanted = { microphone: this.microphone, camera: this.camera };

    const present = new Map<string, Seen>([...this.room.remoteParticipants.values()].map((other) => [other.identity, look(other)]));
    present.set(me.identity || ME, mine);
    for (const identity of this.seen.keys()) if (!present.has(identity)) this.seen.delete(identity);
    for (const [identity, seen] of present) this.seen.set(identity, seen);
  }
}

function look(participant: Participant): Seen {
  const microphone = participant.getTrackPublication(Track.Source.Microphone);
  return {
    name: participant.name ?? '',
    camera: picture(participant, Track.Source.Camera),
    screen: picture(participant, Track.Source.ScreenShare),
    microphone: microphone ? (microphone.isMuted ? 'muted' : 'on') : 'off',
    weak: participant.connectionQuality === ConnectionQuality.Poor || participant.connectionQuality === ConnectionQuality.Lost,
    held: { camera: isHeld(participant, Track.Source.Camera), screen: isHeld(participant, Track.Source.ScreenShare) },
  };
}

function picture(participant: Participant, source: Track.Source): Track | undefined {
  const publication = participant.getTrackPublication(source);
  return publication && !publication.isMuted ? publication.track : undefined;
}

function isHeld(participant: Participant, source: Track.Source): boolean {
  return participant.getTrackPublication(source)?.track?.streamState === Track.StreamState.Paused;
}

function isLive(handed: Handed | undefined): handed is MediaStreamTrack {
  return typeof handed === 'object' && handed.readyState === 'live';
}

function ideal(id: string | undefined): ConstrainDOMString | undefined {
  return id ? { ideal: id } : undefined;
}

// The library's lines name participants; nobody reads a browser's console for us.
// A default level, as a set one is written to the browser's storage, or to a cookie where that fails.
for (const name of Object.values(LoggerNames)) getLogger(name).setDefaultLevel(import.meta.env.DEV ? LogLevel.warn : LogLevel.silent);

/** Stands for our own identity until the room has told it. */
export const ME = '';

const DEVICE_KINDS = { microphone: 'audioinput', camera: 'videoinput', speaker: 'audiooutput' } as const;

const REFRESHING = [
  RoomEvent.Connected,
  RoomEvent.Reconnected,
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackStreamStateChanged,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ConnectionQualityChanged,
] as const;
