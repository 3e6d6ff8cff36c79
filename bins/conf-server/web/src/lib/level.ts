/** How loud a microphone is, measured in the browser: for the meter before joining and in the settings. */
export function watchLevel(track: MediaStreamTrack, heard: (level: number) => void): () => void {
  const { read, close } = tap(track);
  let shown = 0;
  let frame = requestAnimationFrame(function measure() {
    const now = loudness(read());
    shown = now > shown ? now : shown * 0.88 + now * 0.12; // up at once, down slowly
    heard(shown);
    frame = requestAnimationFrame(measure);
  });
  return () => {
    cancelAnimationFrame(frame);
    close();
  };
}

/** Samples of a microphone now and then, also while it is muted: the copy that is listened to never is. */
export function sample(track: MediaStreamTrack, every: number, heard: (samples: Float32Array) => void): () => void {
  const copy = track.clone();
  copy.enabled = true;
  const { context, read, close } = tap(copy);
  const timer = setInterval(() => context.state === 'running' && heard(read()), every);
  return () => {
    clearInterval(timer);
    copy.stop();
    close();
  };
}

function tap(track: MediaStreamTrack) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  void context.resume();
  const samples = new Float32Array(analyser.fftSize);
  const read = () => {
    analyser.getFloatTimeDomainData(samples);
    return samples;
  };
  return { context, read, close: () => void context.close() };
}

/** 0 (silence, below -60 dBFS) to 1 (full scale). */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, (decibels + 60) / 60));
}
