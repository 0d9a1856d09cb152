// One event stream for all tabs of a browser: browsers open six connections to a host, and a seventh tab would hang.
// The tab that holds the lock listens, and tells the others.
const channel = "BroadcastChannel" in window ? new BroadcastChannel("agentstore-live") : null;
const listeners = new Set();
const AGAIN = 5000, WAITED = 1000;
let asked = false;

function tell(news) {
  const away = document.getElementById("away");
  if (away && "away" in news) away.hidden = !news.away;
  for (const listener of listeners) listener(news);
}

// `missed`: what happened before is not known, as where another tab listened that is gone.
function follow(missed) {
  return new Promise(() => {
    let source, later = 0;
    const pass = (news) => {
      const told = { session_ids: [], deleted_session_ids: [], many: false, away: false, ...news };
      channel?.postMessage(told);
      tell(told);
    };
    const connect = () => {
      source = new EventSource("/live");
      source.addEventListener("news", (event) => pass(JSON.parse(event.data)));
      source.addEventListener("error", () => {
        missed = true;
        // A browser comes back by itself after a line that broke, and not after an answer that was none.
        if (source.readyState === EventSource.CLOSED) later = setTimeout(connect, AGAIN);
      });
      source.addEventListener("hello", () => {
        // What happened while nobody listened is not known: all is asked for anew.
        if (missed) pass({ many: true });
        missed = false;
      });
    };
    connect();
    addEventListener("pagehide", () => { clearTimeout(later); source.close(); });
  });
}

export function listen(listener) {
  listeners.add(listener);
  if (asked) return;
  asked = true;
  channel?.addEventListener("message", (event) => tell(event.data));
  if (navigator.locks && channel) {
    const since = performance.now();
    navigator.locks.request("agentstore-live", () => follow(performance.now() - since > WAITED));
  } else follow(false);
}
