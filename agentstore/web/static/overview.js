// The overview: each panel comes by itself, has a deadline, and can be asked for again.
import { part } from "./app.js";

const DEADLINE = 30_000;
const AGAIN = 3;
const AFTER = 2_000;
const running = new Map();

// `moved`: somebody has asked for it by a key or a click, so that what they were on may be gone.
async function load(panel, address, moved = false) {
  running.get(panel)?.abort();
  const mine = new AbortController();
  running.set(panel, mine);
  const body = panel.querySelector("[data-body]");
  panel.setAttribute("aria-busy", "true");
  if (!moved) waiting(body);
  const late = setTimeout(() => mine.abort("late"), DEADLINE);
  try {
    const html = await asked(address, mine.signal);
    if (running.get(panel) !== mine) return;
    body.innerHTML = html; // of our own templates, which escape
    delete panel.dataset.panel;
    if (moved) body.querySelector("[aria-current]")?.focus({ preventScroll: true });
  } catch (error) {
    if (running.get(panel) !== mine) return;
    failed(panel, body, address, mine.signal.reason === "late" ? "It took longer than 30 seconds. A shorter span is quicker." : told(error));
  } finally {
    clearTimeout(late);
    if (running.get(panel) === mine) { running.delete(panel); panel.removeAttribute("aria-busy"); }
  }
}

// Where many look at once, some are told to come again.
async function asked(address, signal) {
  for (let time = 1; ; time += 1) {
    try {
      return await part(address, "panel", signal);
    } catch (error) {
      if (error.message !== "503" || time > AGAIN) throw error;
      await new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, AFTER * time);
        signal.addEventListener("abort", () => { clearTimeout(timer); reject(error); }, { once: true });
      });
    }
  }
}

function told(error) {
  if (error.message === "504") return "The store took too long. A shorter span or one project is quicker.";
  if (error.message === "503") return "The store does not answer, or is busy.";
  return /^\d+$/.test(error.message) ? `It could not be shown (${error.message}).` : "It could not be loaded.";
}

function waiting(body) {
  const note = document.createElement("p");
  note.className = "nothing loading";
  note.textContent = "Counting …";
  body.replaceChildren(note);
}

function failed(panel, body, address, words) {
  const note = document.createElement("p");
  note.className = "nothing failed";
  note.setAttribute("role", "alert");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Try again";
  button.addEventListener("click", () => load(panel, address));
  note.append(words, " ", button);
  body.replaceChildren(note);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-show]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  load(link.closest(".panel"), link.dataset.show, true);
});

// Bars are one stop for the tab key: arrows go from one to the next, past those that are empty.
const STEPS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.(".bars-plot a");
  if (!bar || !(event.key in STEPS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const all = [...bar.closest("svg").querySelectorAll("a")];
  const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(bar) + STEPS[event.key]))];
  bar.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
});

for (const panel of document.querySelectorAll("[data-panel]")) load(panel, panel.dataset.panel);
