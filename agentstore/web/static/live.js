// One event stream for all tabs of a browser: browsers open six connections to a host, and a seventh tab would hang.
// The tab that holds the lock listens, and tells the others.
const channel = "BroadcastChannel" in window ? new BroadcastChannel("agentstore-live") : null;
const listeners = new Set();
let asked = false;

function tell(news) {
  const away = document.getElementById("away");
  if (away && "away" in news) away.hidden = !news.away;
  for (const listener of listeners) listener(news);
}

function follow() {
  return new Promise(() => {
    let failed = false;
    const source = new EventSource("/live");
    source.addEventListener("news", (event) => {
      const news = JSON.parse(event.data);
      const told = { session_ids: [], deleted_session_ids: [], many: false, away: false, ...news };
      channel?.postMessage(told);
      tell(told);
    });
    source.addEventListener("error", () => { failed = true; });
    source.addEventListener("hello", () => {
      if (!failed) return;
      // What happened while nobody listened is not known: all is asked for anew.
      failed = false;
      const told = { session_ids: [], deleted_session_ids: [], many: true, away: false };
      channel?.postMessage(told);
      tell(told);
    });
    addEventListener("pagehide", () => source.close());
  });
}

export function listen(listener) {
  listeners.add(listener);
  if (asked) return;
  asked = true;
  channel?.addEventListener("message", (event) => tell(event.data));
  if (navigator.locks && channel) navigator.locks.request("agentstore-live", follow);
  else follow();
}
