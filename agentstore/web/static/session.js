// A conversation: windows from the server in both directions, appended, never cleared; native scrolling.
import { choose, keys, part } from "./app.js";
import { listen } from "./live.js";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const conversation = $("#conversation");
const own = document.body.dataset.path;
const SLACK = 120;

function elements(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // of our own templates, which escape
  return template.content;
}

// --- windows
const atBottom = () => scrollY + innerHeight >= document.documentElement.scrollHeight - SLACK;
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) load($("a", entry.target));
}, { rootMargin: "1200px 0px" });

async function load(link) {
  const edge = link?.closest(".edge");
  if (!edge || edge.dataset.loading) return;
  edge.dataset.loading = "1";
  const earlier = link.hasAttribute("data-earlier");
  try {
    const fresh = elements(await part(link.href, "window"));
    const window_ = $(".window", fresh);
    // What is above the eye grows: what is looked at stays where it is.
    const before = document.documentElement.scrollHeight, top = scrollY;
    if (earlier) edge.closest(".window").before(window_); else edge.closest(".window").after(window_);
    edge.remove();
    // The edge between two windows is on both of them.
    $(earlier ? "[data-later]" : "[data-earlier]", window_)?.closest(".edge").remove();
    if (earlier) scrollTo({ top: top + document.documentElement.scrollHeight - before, behavior: "instant" });
    watch(window_);
  } catch {
    delete edge.dataset.loading; // it is a link, too
  }
}

function watch(within) {
  for (const edge of $$(".edge", within)) seen.observe(edge);
  markPrompt();
}

// --- the rest of a text, a panel, a subagent: on demand
document.addEventListener("click", async (event) => {
  const more = event.target.closest("a[data-more], a[data-more-text]");
  if (more && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    more.setAttribute("aria-busy", "true");
    try {
      const fresh = elements(await part(more.href, "text"));
      const first = new URL(more.href).searchParams.get("first");
      if (first) more.replaceWith(fresh); // a further part of a very long text
      else if (more.hasAttribute("data-more-text")) replaceSaid(more, fresh);
      else more.closest("[data-block]").replaceChildren(fresh);
    } catch { location.href = more.href; }
    return;
  }
  const to = event.target.closest("a[data-to]");
  if (to && go(Number(to.dataset.to))) event.preventDefault();
  const copy = event.target.closest("[data-copy], [data-copy-from]");
  if (copy) copyOf(copy);
});

function replaceSaid(more, fresh) {
  const message = more.closest(".message");
  const box = document.createElement("div");
  box.className = "text";
  box.append(fresh);
  for (const one of $$(":scope > .text, :scope > details.thinking, :scope > details.machine", message)) one.remove();
  more.closest("p").replaceWith(box);
}

async function copyOf(button) {
  const label = button.textContent;
  try {
    let text = button.dataset.copy;
    if (text === undefined) {
      const answer = await fetch(button.dataset.copyFrom);
      if (!answer.ok) throw new Error();
      text = await answer.text();
    }
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch { button.textContent = "Could not copy"; }
  setTimeout(() => { button.textContent = label; }, 1500);
}

async function fill(place) {
  if (place.dataset.filled) return;
  place.dataset.filled = "1";
  const into = $("[data-into]", place) ?? place;
  try { into.replaceChildren(elements(await part(place.dataset.part, "panel"))); }
  catch (error) {
    if (error.message === "404") { into.replaceChildren("It is not here: it was not imported, or it was erased."); return; }
    delete place.dataset.filled;
    const again = document.createElement("button");
    again.className = "link";
    again.textContent = "Could not be loaded: try again";
    again.addEventListener("click", () => fill(place));
    into.replaceChildren(again);
  }
  markPrompt();
}
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details.subagent[data-part]") && event.target.open) fill(event.target);
}, true);

// --- prompts: the next and the previous one, and which one is being read
const prompts = (conversation.dataset.prompts || "").split(" ").filter(Boolean).map(Number);
const message = (ordinal) => document.getElementById(`m${ordinal}`);

function go(ordinal) {
  const found = message(ordinal);
  if (!found) return false;
  history.replaceState(history.state, "", `#m${ordinal}`);
  for (const one of $$(".message.here")) one.classList.remove("here");
  found.classList.add("here");
  found.scrollIntoView({ block: "start" });
  choose(found);
  return true;
}

// What is being read: the last message whose beginning has passed the top, the first one before that.
function current() {
  const all = $$("#conversation > .window > .message");
  let at = all[0];
  for (const one of all) {
    if (one.getBoundingClientRect().top > 140) break;
    at = one;
  }
  return at ? Number(at.dataset.ordinal) : -1;
}

function jump(by) {
  // At the end of a page the last messages cannot come up to the top.
  const here = $(".message.here")?.getBoundingClientRect();
  const at = here && here.bottom > 0 && here.top < innerHeight ? Number($(".message.here").dataset.ordinal) : current();
  const next = by > 0 ? prompts.find((one) => one > at) : prompts.findLast((one) => one < at);
  if (next === undefined) return;
  // Not loaded yet: the server gives the window around it.
  if (!go(next)) location.href = `${own}?at=${next}#m${next}`;
}

let marking = 0;
function markPrompt() {
  cancelAnimationFrame(marking);
  marking = requestAnimationFrame(() => {
    const at = current();
    const read = prompts.findLast((one) => one <= at);
    for (const link of $$(".prompts a[data-to]")) {
      if (Number(link.dataset.to) === read) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  });
}
addEventListener("scroll", markPrompt, { passive: true });
for (const button of $$("[data-jump]")) button.addEventListener("click", () => jump(Number(button.dataset.jump)));
keys.set("n", () => jump(1));
keys.set("p", () => jump(-1));
keys.set("e", () => {
  const all = $$("details", message(current()) ?? document.createElement("p")).filter((one) => !one.matches(".subagent"));
  const open = all.some((one) => !one.open);
  for (const one of all) one.open = open;
});

// --- live: what is written while one reads
let busy = false, again = false;
async function grow() {
  // Only the end grows: whoever reads further up gets it when they come there.
  if ($("[data-later]", conversation)) return;
  if (busy) { again = true; return; }
  busy = true;
  try {
    const followed = atBottom();
    const all = $$("#conversation > .window > .message");
    // The last ones may have got results since.
    const from = all.length > 3 ? Number(all[all.length - 3].dataset.ordinal) - 1 : -1;
    const address = from < 0 ? own : `${own}?after=${from}`;
    const fresh = $(".window", elements(await part(address, "window")));
    const windows = $$("#conversation > .window");
    const target = windows[windows.length - 1];
    $(".empty", target)?.remove();
    let grown = false;
    for (const one of $$(":scope > .message", fresh)) {
      const there = message(one.dataset.ordinal);
      if (!there) { one.classList.add("fresh"); target.append(one); grown = true; }
      else if (there.innerHTML !== one.innerHTML && !$("details[open]", there) && !there.contains(document.activeElement)) there.replaceWith(one);
    }
    const edge = $("[data-later]", fresh)?.closest(".edge");
    if (edge) { target.append(edge); watch(target); }
    if (grown) {
      if (followed) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
      else $(".new-below").hidden = false;
    }
  } catch { /* asked again with the next news */ }
  busy = false;
  if (again) { again = false; grow(); }
}
$(".new-below button")?.addEventListener("click", () => {
  $(".new-below").hidden = true;
  scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
});
addEventListener("scroll", () => { if (atBottom()) $(".new-below").hidden = true; }, { passive: true });
// "opened": between the page and the stream something may have been written.
listen((news) => {
  // Hidden or erased while it is open: the server says which, in place of what is no longer there.
  if (news.deleted_session_ids?.includes(document.body.dataset.session)) location.reload();
  else if (news.opened || news.many || news.session_ids.includes(document.body.dataset.session)) grow();
});

// --- coming back: to what was read, also where it is in a window that the address does not name
const placeOf = () => `agentstore-place:${location.pathname}${location.search}${location.hash}`;
addEventListener("pagehide", () => {
  const at = current();
  const read = message(at);
  if (!read) return;
  try { sessionStorage.setItem(placeOf(), JSON.stringify({ at, top: read.getBoundingClientRect().top })); } catch { /* keeps nothing */ }
});

function placeLeft() {
  if (performance.getEntriesByType("navigation")[0]?.type === "navigate") return null;
  try { return JSON.parse(sessionStorage.getItem(placeOf())); } catch { return null; }
}

async function comeBack(place) {
  if (!message(place.at)) {
    const asked = new URLSearchParams(location.search);
    for (const name of ["at", "source", "t", "before"]) asked.delete(name);
    if (place.at) asked.set("after", place.at - 1);
    try { conversation.replaceChildren($(".window", elements(await part(`${own}?${asked}`, "window")))); }
    catch { /* the window of the address is there */ }
    watch(conversation);
  }
  const read = message(place.at);
  if (read) scrollBy({ top: read.getBoundingClientRect().top - place.top, behavior: "instant" });
}

// --- what stands beside it: beside it where there is room, else a line that unfolds
const side = $("[data-side]"), narrow = matchMedia("(max-width: 60rem)");
const fit = () => { side.open = !narrow.matches; };
narrow.addEventListener("change", fit);
fit();

// --- the beginning
history.scrollRestoration = "manual"; // a browser would go by pixels, of which there were more or fewer
watch(conversation);
for (const place of $$("[data-part]:not(details)")) fill(place);
const left = placeLeft();
const wanted = new URLSearchParams(location.search).get("at");
const named = location.hash.startsWith("#m") ? message(location.hash.slice(2)) : null;
named?.classList.add("here");
if (left) comeBack(left);
else if (wanted !== null && !location.hash) go(Number(wanted));
else named?.scrollIntoView({ block: "start", behavior: "instant" });
