/**
 * Microphone and camera before the meeting: asked for only on a click, shown, measured, then handed over.
 *
 * Nothing here is sent anywhere. What went wrong is kept as a word that the page can explain.
 */
import { preferences } from './prefs.svelte';

export type Kind = 'microphone' | 'camera';
export type Problem = 'denied' | 'missing' | 'busy' | 'insecure' | 'unknown';

/** A device that goes from the pre-join page into the meeting: running, or chosen just before the join. */
export type Handed = MediaStreamTrack | 'wanted';

export class Device {
  state = $state<'off' | 'starting' | 'on'>('off');
  problem = $state<Problem>();
  track = $state.raw<MediaStreamTrack>();

  // What is really ours to stop. State must not decide that: while a component is torn down, Svelte
  // shows it the values from before, and a track that was given away would be stopped.
  #mine: MediaStreamTrack | undefined;

  constructor(readonly kind: Kind) {}

  async toggle(): Promise<void> {
    if (this.state === 'off') await this.start();
    else this.stop();
  }

  async start(): Promise<void> {
    this.stop();
    this.problem = undefined;
    this.state = 'starting';
    try {
      const track = await capture(this.kind, preferences[this.kind]);
      if (this.state !== 'starting') return track.stop();
      this.#own(track);
    } catch (error) {
      this.state = 'off';
      this.problem = problem(error);
    }
  }

  stop(): void {
    this.#mine?.stop();
    this.#mine = this.track = undefined;
    this.state = 'off';
  }

  /** Gives the running track away; from now on its new owner stops it. Asked for but not running yet: `wanted`. */
  take(): Handed | undefined {
    const handed = this.#mine ?? (this.state === 'starting' ? 'wanted' : undefined);
    this.#mine = this.track = undefined;
    this.state = 'off';
    return handed;
  }

  /** Takes over what another page gave away. */
  adopt(handed: Handed | undefined): void {
    if (handed === 'wanted') void this.start();
    else if (handed?.readyState === 'live') this.#own(handed);
  }

  #own(track: MediaStreamTrack): void {
    track.addEventListener('ended', () => this.#ended(track));
    this.#mine = this.track = track;
    this.state = 'on';
  }

  #ended(track: MediaStreamTrack): void {
    if (this.#mine !== track) return;
    this.stop();
    this.problem = 'missing';
  }
}

/** The devices this browser tells of; names only after a permission. */
export class DeviceList {
  microphones = $state.raw<MediaDeviceInfo[]>([]);
  cameras = $state.raw<MediaDeviceInfo[]>([]);
  speakers = $state.raw<MediaDeviceInfo[]>([]);

  async refresh(): Promise<void> {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== '');
    this.microphones = of('audioinput');
    this.cameras = of('videoinput');
    this.speakers = of('audiooutput');
  }

  /** Keeps the list current until the returned function is called. */
  watch(): () => void {
    const refresh = () => void this.refresh();
    refresh();
    navigator.mediaDevices?.addEventListener('devicechange', refresh);
    return () => navigator.mediaDevices?.removeEventListener('devicechange', refresh);
  }
}

async function capture(kind: Kind, chosen: string | undefined): Promise<MediaStreamTrack> {
  if (!navigator.mediaDevices) throw new DOMException('insecure', 'SecurityError');
  const stream = await navigator.mediaDevices.getUserMedia(constraints(kind, chosen));
  const track = stream.getTracks()[0];
  if (!track) throw new DOMException('no track', 'NotFoundError');
  return track;
}

function constraints(kind: Kind, chosen: string | undefined): MediaStreamConstraints {
  const deviceId = chosen ? { ideal: chosen } : undefined;
  if (kind === 'camera') return { video: { deviceId, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } } };
  return { audio: { deviceId, echoCancellation: true, noiseSuppression: true, autoGainControl: true } };
}

export function problem(error: unknown): Problem {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'SecurityError':
      return 'insecure';
    default:
      return 'unknown';
  }
}
