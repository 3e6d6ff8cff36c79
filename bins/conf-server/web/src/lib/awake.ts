/** Keeps a phone's screen on while a meeting is in front; where the browser cannot, nothing happens. */
export function keepAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let over = false;
  const hold = async () => {
    if (over || document.visibilityState !== 'visible') return;
    lock = await navigator.wakeLock?.request('screen').catch(() => undefined);
    if (over) void lock?.release();
  };
  const visible = () => void hold();
  document.addEventListener('visibilitychange', visible);
  void hold();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', visible);
    void lock?.release();
  };
}
