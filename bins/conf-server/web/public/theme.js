// The theme that was chosen in this browser, before anything is painted: for the client and for /privacy.
try {
  const { theme } = JSON.parse(localStorage.getItem('conf.preferences') ?? '{}');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Nothing is stored, or storage is switched off: as the device.
}
