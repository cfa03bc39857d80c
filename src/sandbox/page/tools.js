// Break it: faults of the pretend Slack, of the bot's process and of the clock. Protocol: every delivery and call.

import { tick } from "./guide.js";
import { el } from "./text.js";

const breaking = document.getElementById("breaking");
const protocol = document.getElementById("protocol");
const toggles = { break: document.getElementById("tool-break"), protocol: document.getElementById("tool-protocol") };
const SHOWN = 120;

let entries = [];
let context = null;
let loading = false;
/** What was broken last, and after which entry. */
let test = null;
let shownBreaking = "";

function toggle(button, box) {
  box.hidden = !box.hidden;
  button.setAttribute("aria-expanded", String(!box.hidden));
  document.body.classList.toggle("with-protocol", !protocol.hidden);
}

/** Starts the tools; `context` has `ask(path, body)`, `state()` and `here()`. */
export function startTools(given) {
  context = given;
  toggles.break.addEventListener("click", () => {
    toggle(toggles.break, breaking);
    showTools();
  });
  toggles.protocol.addEventListener("click", () => {
    toggle(toggles.protocol, protocol);
    tick("protocol");
    showTools();
  });
}

/** Shows what is open, with the newest entries. */
export async function showTools() {
  if (breaking.hidden && protocol.hidden) return;
  showBreaking();
  if (loading) return;
  loading = true;
  try {
    const last = entries.at(-1)?.id ?? 0;
    const answer = await fetch(`/page/trace?after=${last}`);
    const news = (await answer.json()).entries;
    entries = [...entries, ...news].slice(-300);
    if (!breaking.hidden) showBreaking();
    if (!protocol.hidden) showProtocol(news);
  } catch {
    // the page itself says when the sandbox does not answer
  } finally {
    loading = false;
  }
}

const EXPLAINED = {
  limit: "Slack answers 429 with Retry-After: 5 to every message and view. The bot waits as long as it is told; nothing is lost.",
  unlimit: "Slack takes calls again. What waited is delivered within seconds.",
  outage: "Every connection to Slack's API is cut. Decisions still count: try /approval approve; cards follow when Slack is back.",
  recover: "Slack is back. Cards are brought up to date with the newest state, once, however much has changed.",
  delete: "The newest card is deleted. At the next change Slack answers message_not_found, and the bot posts the card again.",
  archive: "The channel is archived: Slack refuses messages with is_archived. The bot keeps them, and reports the channel at /readyz.",
  unarchive: "The channel is open again. The bot tries it again on its own.",
  stop_bot: "The bot's process is stopped. Clicks show Slack's own error. Everything committed is in the database.",
  start_bot: "The bot starts on the same database and carries on with whatever was due.",
  skip_hour: "An hour has passed: what was due is done, such as the end of grants and break-glass sessions.",
  skip_day: "A day has passed: old requests expire, their cards lose their buttons, and requesters are told.",
};

function showBreaking() {
  const state = context.state();
  const here = state.channels.find((channel) => channel.id === context.here() && !channel.is_im);
  const card = here?.messages.findLast((message) => message.user === state.bot.id && !message.only_you);
  const sign = JSON.stringify([state.broken, here?.id, here?.is_archived, card?.ts, test, recovery()]);
  if (sign === shownBreaking) return;
  shownBreaking = sign;
  const focused = breaking.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const button = (key, label, what, where = {}) => {
    const node = el("button", { type: "button", "data-key": key }, label);
    node.addEventListener("click", async () => {
      const last = entries.at(-1)?.id ?? 0;
      if ((await context.ask("break", { what, ...where })).ok) {
        test = { what, last };
        tick("break");
        showTools();
      }
    });
    return node;
  };
  const { limited, outage, bot_stopped, has_orders } = state.broken;
  const parts = [
    button("limit", limited ? "Stop rate limiting" : "Rate-limit Slack", limited ? "unlimit" : "limit"),
    button("outage", outage ? "Bring Slack back" : "Take Slack down", outage ? "recover" : "outage"),
  ];
  if (card) parts.push(button("delete", "Delete the newest card", "delete", { channel: here.id, ts: card.ts }));
  if (here) parts.push(button("archive", here.is_archived ? "Unarchive the channel" : "Archive the channel", here.is_archived ? "unarchive" : "archive", { channel: here.id }));
  if (has_orders) {
    parts.push(
      button("bot", bot_stopped ? "Start the bot" : "Stop the bot", bot_stopped ? "start_bot" : "stop_bot"),
      button("hour", "Skip an hour", "skip_hour"),
      button("day", "Skip a day", "skip_day"),
    );
  }
  breaking.replaceChildren(
    el("div", { className: "bar", role: "group", "aria-label": "Faults" }, ...parts),
    el("p", { role: "status" }, test ? `${EXPLAINED[test.what]} ${recovery()}` : "Each button breaks something of the pretend Slack, or what runs around it. The bot is the real one."),
  );
  if (focused) breaking.querySelector(`[data-key="${focused}"]`)?.focus();
}

/** What the bot's calls show since something was broken. */
function recovery() {
  if (!test) return "";
  const since = entries.filter((entry) => entry.id > test.last && entry.kind === "call");
  const failed = since.filter((entry) => entry.failed).length;
  const done = since.filter((entry) => !entry.failed && !entry.effect.startsWith("Nothing"));
  const last = done.at(-1);
  return `Since then: ${failed} failed calls, ${done.length} that changed something${last ? `; the latest: ${last.name}` : ""}.`;
}

function showProtocol(news) {
  if (!protocol.firstChild) {
    const close = el("button", { type: "button", "aria-label": "Close the protocol" }, "×");
    close.addEventListener("click", () => {
      toggle(toggles.protocol, protocol);
      toggles.protocol.focus();
    });
    protocol.append(
      el("header", {}, el("h2", {}, "Protocol"), close),
      el("p", { className: "note" }, "What Slack and the bot say to each other, newest first, and the webhooks of the bot. Deliveries and webhooks are signed; calls carry the bot's token, which is not shown."),
      el("ol", {}),
    );
    news = entries;
  }
  const list = protocol.querySelector("ol");
  list.prepend(...news.slice(-SHOWN).map(item).reverse());
  while (list.children.length > SHOWN) list.lastChild.remove();
}

const WAYS = { delivery: "Slack → bot", call: "bot → Slack", webhook: "bot → webhook" };

function item(entry) {
  const isDelivery = entry.kind === "delivery";
  const time = new Date(entry.at_ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const result = entry.failed ? "failed" : isDelivery ? `acknowledged in ${entry.took_ms} ms` : "done";
  const head = el("summary", {}, el("span", { className: "way" }, WAYS[entry.kind]), el("code", {}, entry.name), el("small", { className: entry.failed ? "error" : "" }, `${result} · ${time}`));
  const box = el("details", { "data-entry": String(entry.id) }, head);
  box.addEventListener("toggle", () => box.open && box.childElementCount === 1 && box.append(...details(entry)));
  return el("li", {}, box);
}

function details(entry) {
  const row = (name, value) => el("div", { className: "row" }, el("strong", {}, name), el("span", {}, value));
  const parts = [row("Effect", entry.effect)];
  if (entry.kind === "webhook") {
    for (const [name, value] of Object.entries(entry.signature)) parts.push(row(name, el("code", {}, value)));
  } else if (entry.signature) {
    parts.push(
      row("Signature check", entry.signature.check),
      row("Signature", el("code", {}, entry.signature["X-Slack-Signature"])),
      row("Timestamp", el("code", {}, entry.signature["X-Slack-Request-Timestamp"])),
      row("Answer", entry.status ? `HTTP ${entry.status} after ${entry.took_ms} ms; Slack waits 3,000 ms` : "none"),
    );
    const again = (label, tampered) => {
      const button = el("button", { type: "button" }, label);
      button.addEventListener("click", () => context.ask("resend", { id: entry.id, tampered }));
      return button;
    };
    parts.push(el("div", { className: "bar" }, again("Send it again", false), again("Send it with a changed body", true)));
  }
  parts.push(el("pre", { tabindex: "0", "aria-label": `Payload of ${entry.name}` }, JSON.stringify(entry.payload, null, 2)));
  return parts;
}
