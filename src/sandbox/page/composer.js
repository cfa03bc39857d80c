// The line at the bottom: completion of slash commands with hints, and the lines sent before.

import { keep, kept } from "./kept.js";
import { el } from "./text.js";

/** What can be typed, with a word on what it does. */
const COMMANDS = [
  ["/approval request ", "ask for something; alone, it opens a form"],
  ["/approval request release.deploy project=api-platform env=production release=v1.4.2 reason=\"hotfix for checkout\"", "a release to production"],
  ["/approval request command.execute cluster=prod-eu-1 reason=\"free disk space\" payload='{\"command\":\"df -h\"}'", "a command on a cluster"],
  ["/approval inbox", "what waits, and what you can approve"],
  ["/approval approve ", "NUMBER and a comment"],
  ["/approval reject ", "NUMBER and why"],
  ["/approval show ", "NUMBER: one request"],
  ["/approval cancel ", "NUMBER: withdraw a request"],
  ["/approval explain release.deploy project=api-platform env=production", "who would have to approve, without asking"],
  ["/approval policies", "the policies, and where they are bound"],
  ["/approval stats 14d", "how long requests wait"],
  ["/approval audit", "the latest events, for administrators"],
  ["/approval help", "examples to copy"],
  ["/breakglass start", "an emergency session; opens a form"],
  ["/breakglass status", "what is active, and which reviews are owed"],
  ["/breakglass revoke", "end your session"],
  ["/breakglass help", "examples to copy"],
];
const SHOWN = 7;
const HISTORY = "history";

const line = document.getElementById("line");
const hints = document.getElementById("hints");
let history = JSON.parse(kept(HISTORY) ?? "[]");
let at = history.length;
let chosen = -1;

function offered() {
  const typed = line.value;
  if (!typed.startsWith("/")) return [];
  return COMMANDS.filter(([text]) => text.startsWith(typed) && text !== typed).slice(0, SHOWN);
}

function showHints(entries) {
  chosen = -1;
  hints.hidden = entries.length === 0;
  line.setAttribute("aria-expanded", String(entries.length > 0));
  line.removeAttribute("aria-activedescendant");
  const item = ([text, what], index) => {
    const node = el("li", { id: `hint-${index}`, role: "option", "aria-selected": "false" }, el("code", {}, text), el("small", {}, what));
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the line keeps the focus
      take(text);
    });
    node.dataset.text = text;
    return node;
  };
  hints.replaceChildren(...entries.map(item));
}

function choose(index) {
  const options = [...hints.children];
  chosen = (index + options.length) % options.length;
  options.forEach((option, each) => option.setAttribute("aria-selected", String(each === chosen)));
  options[chosen].scrollIntoView({ block: "nearest" });
  line.setAttribute("aria-activedescendant", options[chosen].id);
}

function take(text) {
  line.value = text;
  line.setSelectionRange(text.length, text.length);
  showHints(offered());
}

function recall(step) {
  if (!history.length) return;
  at = Math.min(Math.max(at + step, 0), history.length);
  line.value = history[at] ?? "";
}

function pressed(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (hints.hidden) {
    if (!step) return;
    event.preventDefault();
    recall(step);
    return;
  }
  if (step) {
    event.preventDefault();
    choose(chosen < 0 && step < 0 ? hints.children.length - 1 : chosen + step);
  } else if (event.key === "Escape") {
    event.preventDefault();
    showHints([]);
  } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
    event.preventDefault();
    take(hints.children[chosen].dataset.text);
  }
}

/** Starts the composer; `say(text)` answers whether the line was taken. */
export function startComposer(say) {
  line.addEventListener("input", () => showHints(offered()));
  line.addEventListener("blur", () => showHints([]));
  line.addEventListener("keydown", pressed);
  document.getElementById("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = line.value.trim();
    if (!text) return;
    line.value = "";
    showHints([]);
    history = [...history.filter((each) => each !== text), text].slice(-50);
    at = history.length;
    keep(HISTORY, JSON.stringify(history));
    line.setAttribute("aria-busy", "true");
    const sent = await say(text);
    line.removeAttribute("aria-busy");
    if (!sent && line.value === "") line.value = text;
  });
}
