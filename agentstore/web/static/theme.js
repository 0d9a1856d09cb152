// Before anything is drawn: the theme that was chosen here, and the zone for times that the server writes.
(() => {
  const root = document.documentElement;
  root.classList.add("script");
  try {
    const theme = localStorage.getItem("agentstore-theme");
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  } catch { /* a browser that keeps nothing */ }
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`agentstore_tz=${encodeURIComponent(zone)}`)) {
    document.cookie = `agentstore_tz=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=strict`;
  }
})();
