// What all pages share: the theme, the keys, filters that apply by themselves, and costs that come after the rows.
import { listen } from "./live.js";

const root = document.documentElement;
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// --- theme
const toggle = $("[data-theme-toggle]");
if (toggle) {
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("agentstore-theme", root.dataset.theme); } catch { /* keeps nothing */ }
  });
}

// --- filters: what is chosen applies at once, what is typed on enter
for (const form of $$("form[data-filters]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select, [type=checkbox]")) form.requestSubmit();
  });
  // What is not set does not stand in the address.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });
}

// --- keys
export const items = () => $$("[data-item]").filter((one) => one.offsetParent !== null);
let chosen = null;

export function choose(item) {
  chosen?.removeAttribute("aria-selected");
  chosen = item;
  if (!item) return;
  item.setAttribute("aria-selected", "true");
  const link = $("a", item) ?? item;
  link.focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = items();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement?.closest?.("[data-item]") ?? chosen);
  choose(all[Math.min(all.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by))]);
}

const places = { s: "/sessions", o: "/overview", c: "/commits", f: "/files" };
let afterG = false;
export const keys = new Map([
  ["j", () => step(1)],
  ["k", () => step(-1)],
  ["/", () => ($("[data-own-search]") ?? $("#top-q"))?.select()],
  ["?", () => $("#keys").showModal()],
]);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && typing) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (afterG && places[event.key]) { location.href = places[event.key]; return; }
  afterG = event.key === "g";
  if (event.key === "Enter" && chosen && !event.target.closest("a, button, summary")) {
    $("a", chosen)?.click();
    return;
  }
  const what = keys.get(event.key);
  if (what) { event.preventDefault(); what(event); }
});

// --- what went wrong where nothing else on the page can tell
export function say(text) {
  const notice = $("#said");
  notice.textContent = text;
  notice.hidden = false;
}

// --- parts of a page that come from the server, in place of what is there
export async function part(address, name, signal) {
  const answer = await fetch(address, { headers: { "x-part": name, accept: "text/html" }, signal });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

// --- what rows cost, which takes the store longer than the rows themselves
export async function fillCosts(within = document) {
  const cells = $$("[data-cost]:not([data-asked])", within);
  if (!cells.length) return;
  const query = new URLSearchParams();
  for (const cell of cells) { cell.dataset.asked = ""; query.append("id", cell.dataset.cost); }
  try {
    const answer = await fetch(`/costs?${query}`);
    if (!answer.ok) return;
    const told = await answer.json();
    for (const cell of cells) cell.textContent = told[cell.dataset.cost] ?? "";
  } catch { /* rows are whole without it */ }
}

// --- the list of sessions, live
const list = $("#list");
if (list) {
  let shown = list.innerHTML.trim(); // as it came, before anything is marked or filled in
  markFresh();
  fillCosts();
  const replace = async (content) => {
    const selected = chosen?.dataset.session;
    const focused = document.activeElement?.closest?.("#list [data-session]")?.dataset.session;
    const open = new Set($$("details[open]", list).map((one) => one.closest("tr")?.previousElementSibling?.dataset.session));
    list.replaceChildren(content);
    for (const row of $$("tr.row", list)) {
      if (open.has(row.dataset.session)) { const below = $("details", row.nextElementSibling ?? row); if (below) below.open = true; }
      if (row.dataset.session === selected) { chosen = row; row.setAttribute("aria-selected", "true"); }
      if (row.dataset.session === focused) $("a", row)?.focus({ preventScroll: true });
    }
    markFresh();
    await fillCosts(list);
  };
  let under = false, again = false;
  const refresh = async (isNews = true) => {
    if (under) { again = true; return; }
    under = true;
    try {
      const made = document.createElement("template");
      made.innerHTML = await part(list.dataset.refresh, "list"); // of our own templates, which escape
      const html = made.innerHTML.trim();
      // Rows that are as they were stay: somebody may be about to click one.
      if (isNews || html !== shown) { shown = html; await replace(made.content); }
    } catch { /* asked again with the next news */ }
    under = false;
    if (again) { again = false; refresh(); }
  };
  // "opened": what was written between the page and the stream is not told.
  listen((news) => {
    if (news.opened) refresh(false);
    else if (news.many || news.session_ids.length || news.deleted_session_ids.length) refresh();
  });
}
listen(() => {}); // all pages say when the store is away

// What came since this browser was here last is marked; on a first visit, what comes while one looks.
function markFresh() {
  let last = "";
  try {
    const now = new Date().toISOString();
    last = sessionStorage.getItem("agentstore-before") ?? localStorage.getItem("agentstore-visit") ?? now;
    sessionStorage.setItem("agentstore-before", last);
    localStorage.setItem("agentstore-visit", now);
  } catch { /* keeps nothing */ }
  if (!last) return;
  for (const row of $$("tr.row[data-written]")) {
    if (row.dataset.written > last) row.classList.add("fresh");
  }
}
