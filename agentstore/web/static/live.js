// One event stream for all tabs of a browser: browsers open six connections to a host, and a seventh tab would hang.
// The tab that holds the lock listens, and tells the others.
// Only tabs of the same login: behind a proxy that knows its users others may be open in this browser, too.
const shared = `agentstore-live-${document.documentElement.dataset.login}`;
const channel = "BroadcastChannel" in window ? new BroadcastChannel(shared) : null;
const listeners = new Set();
let asked = false;

function tell(news) {
  if (!news.opened) {
    for (const one of document.querySelectorAll("[data-not-live]")) one.hidden = !news.away || one.dataset.notLive !== news.why;
  }
  for (const listener of listeners) listener(news);
}

const NOTHING = { session_ids: [], deleted_session_ids: [], many: false, away: false, why: "store" };
const AGAIN = 5000;
const WHY = { 401: "out", 403: "out", 429: "full" };

// An EventSource does not say which answer it had in place of a stream.
async function reason() {
  try { return WHY[(await fetch("/live", { method: "HEAD" })).status] ?? "store"; }
  catch { return "store"; }
}

// "missed": somebody was listening before, and what happened since is not known, so that all is asked for anew.
function follow(missed) {
  return new Promise(() => {
    let source = null;
    const share = (news) => { const told = { ...NOTHING, ...news }; channel?.postMessage(told); tell(told); };
    const open = () => {
      source = new EventSource("/live");
      source.addEventListener("news", (event) => share(JSON.parse(event.data)));
      source.addEventListener("hello", () => {
        share({ many: missed });
        tell({ ...NOTHING, opened: true });
        missed = false;
      });
      source.addEventListener("error", async () => {
        missed = true;
        if (source.readyState !== EventSource.CLOSED) { share({ away: true }); return; }
        // After an answer that is no stream, a proxy's for instance, browsers do not try again.
        share({ away: true, why: await reason() });
        setTimeout(open, AGAIN);
      });
    };
    open();
    addEventListener("pagehide", () => source.close());
  });
}

function take() {
  if (!navigator.locks || !channel) { follow(false); return; }
  navigator.locks.request(shared, { ifAvailable: true }, (lock) => {
    if (lock) return follow(false);
    // Another tab listens. When it is closed one of the others takes over.
    navigator.locks.request(shared, () => follow(true));
    tell({ ...NOTHING, opened: true });
  });
}

export function listen(listener) {
  listeners.add(listener);
  if (asked) return;
  asked = true;
  channel?.addEventListener("message", (event) => tell(event.data));
  take();
}
