// Search as one types: three characters, 300 ms of quiet, one running; shorter needles on enter only.
import { part } from "./app.js";

const form = document.getElementById("search");
const field = document.getElementById("q");
const hits = document.getElementById("hits");
const QUIET = 300, SHORTEST = 3;
let timer = 0, running = null, shown = address();
const tab = crypto.randomUUID?.() ?? String(Math.random());

function address() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value && !(name === "mode" && value === "substring")) query.append(name, value);
  }
  return `${form.getAttribute("action")}?${query}`;
}

async function search({ push = false } = {}) {
  clearTimeout(timer);
  const wanted = address();
  if (wanted === shown && !push) return;
  // The older one is given up here, and on the server with it.
  running?.abort();
  const own = running = new AbortController();
  hits.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(wanted, { headers: { "x-part": "hits", "x-tab": tab, accept: "text/html" }, signal: own.signal });
    const html = await answer.text();
    if (own !== running) return;
    if (answer.ok) hits.innerHTML = html; // of our own templates, which escape
    else fail(answer.status);
    shown = wanted;
    history[push ? "pushState" : "replaceState"](null, "", wanted);
    document.title = `${field.value ? `${field.value} · ` : ""}Search · agentstore`;
  } catch (error) {
    if (error.name !== "AbortError") fail(0);
  } finally {
    if (own === running) { running = null; hits.setAttribute("aria-busy", "false"); }
  }
}

function fail(status) {
  const said = document.createElement("p");
  said.className = "wrong";
  said.setAttribute("role", "alert");
  said.textContent = status === 503 ? "Too many are searching at the moment. Press enter to try again."
    : status === 504 ? "That took too long. A project or a span makes it quicker."
    : status === 400 ? "That cannot be searched for."
    : "The search could not be done. Press enter to try again.";
  hits.replaceChildren(said);
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  const length = [...field.value.trim()].length;
  if (length === 0 || length >= SHORTEST) timer = setTimeout(search, QUIET);
});
form.addEventListener("submit", (event) => { event.preventDefault(); search({ push: true }); });
form.addEventListener("change", (event) => { if (event.target !== field) search({ push: true }); });
addEventListener("popstate", () => location.reload());
