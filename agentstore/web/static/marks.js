// Stars in place: the form of a session's page, and the key "s" there and on the row that is chosen in a list.
import { keys, say } from "./app.js";

const $ = (selector, within = document) => within.querySelector(selector);

async function put(address, on) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "x-part": "star", "content-type": "application/x-www-form-urlencoded" },
    body: `on=${on ? "1" : ""}`,
  });
  if (answer.ok) return;
  const told = await answer.json().catch(() => ({})); // a proxy's answer is none of ours
  throw new Error(told.detail || told.title || `${answer.status}`);
}

// --- a session's page
const button = $("[data-star]");
const form = button?.closest("form");

async function toggle() {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.disabled = true;
  try {
    await put(form.action, on);
    button.setAttribute("aria-pressed", `${on}`);
    button.textContent = on ? "★ Starred" : "☆ Star";
    $("[name=on]", form).value = on ? "" : "1";
  } catch {
    form.submit(); // the page that comes says what is wrong
  }
  button.disabled = false;
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  toggle();
});

// --- a list
async function toggleRow(row) {
  const title = $("a.title", row);
  const star = $(".star", title);
  try {
    await put(`${title.pathname}/star`, !star);
  } catch (error) {
    say(`The star was not changed: ${error.message}.`);
    return;
  }
  if (star) { star.remove(); return; }
  const mark = document.createElement("span");
  mark.className = "star";
  mark.title = "Starred";
  mark.textContent = "★";
  const said = document.createElement("span");
  said.className = "hidden";
  said.textContent = "starred ";
  mark.append(said);
  title.prepend(mark);
}

keys.set("s", () => {
  if (button) { toggle(); return; }
  const row = document.activeElement?.closest?.("tr.row") ?? $("tr.row[aria-selected=true]");
  if (row) toggleRow(row);
});
