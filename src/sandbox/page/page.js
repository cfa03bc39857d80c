// The sandbox's page: reads the state as one person sees it and sends what that person does.

import { askFirst, renderBlocks } from "./blocks.js";
import { showGuide } from "./guide.js";
import { showErrors, showModal } from "./modal.js";
import { el, mrkdwn } from "./text.js";

const $ = (id) => document.getElementById(id);
const HOME = "home";
const HISTORY = "sandbox-history";
const stored = (key) => sessionStorage.getItem(key);
let state = null;
let me = new URLSearchParams(location.search).get("as") ?? stored("sandbox-me");
let here = decodeURIComponent(location.hash.slice(1)) || null;
let asking = new AbortController();
let history = JSON.parse(stored(HISTORY) ?? "[]");
let at = history.length;
let toEnd = false;

/** Asks for news for ever; the server answers when something happened. */
async function follow() {
  let version = 0;
  let user = me;
  for (;;) {
    if (user !== me) [version, user] = [0, me];
    try {
      asking = new AbortController();
      const query = new URLSearchParams({ version: String(version), ...(me ? { as: me } : {}) });
      const answer = await fetch(`/page/state?${query}`, { signal: asking.signal });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      state = await answer.json();
      version = state.version;
      document.body.classList.remove("offline");
      if (!state.me) {
        become(state.people[0]?.id);
        continue;
      }
      show();
    } catch (error) {
      if (error.name === "AbortError") continue;
      document.body.classList.add("offline");
      notice("The sandbox does not answer. Waiting for it to come back.");
      version = 0;
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }
}

function become(id) {
  me = id;
  sessionStorage.setItem("sandbox-me", id ?? "");
  asking.abort();
  if (here === HOME && me) send("home", {});
}

const send = async (path, body) => (await ask(path, body)).ok;

/** Sends what somebody does; what went wrong is shown, and the whole answer given. */
async function ask(path, body) {
  notice(null);
  try {
    const answer = await fetch(`/page/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user: me, ...body }),
    });
    const told = await answer.json();
    if (told.errors) showErrors(told.errors);
    if (told.error) notice(told.error);
    return told;
  } catch {
    notice("The sandbox does not answer.");
    return { ok: false };
  }
}

function notice(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text ?? "";
}

const names = () => ({ users: state.names, groups: state.groups, channels: state.channel_names });

/** What a click does: asks first when the element says so. */
function actor(place, where = {}) {
  return async (element, blockId, option) => {
    if (!(await askFirst(element.confirm, names()))) return;
    await send("press", { place, ...where, action_id: element.action_id, block_id: blockId, option });
  };
}

function show() {
  document.title = `${state.workspace} · sandbox`;
  $("workspace").textContent = state.workspace;
  const people = state.people.map((person) => el("option", { value: person.id }, person.is_guest || person.is_stranger ? `${person.real_name} (guest)` : person.real_name));
  if ($("me").options.length !== people.length) $("me").replaceChildren(...people);
  $("me").value = me;
  if (here !== HOME && !state.channels.some((channel) => channel.id === here)) {
    here = state.channels.find((channel) => !channel.is_im)?.id ?? HOME;
  }
  showGuide(state, goAs);
  showNavigation();
  if (here === HOME) showHome();
  else showChannel(state.channels.find((channel) => channel.id === here));
  showModal(state.modal, {
    user: me,
    names: names(),
    act: actor("modal"),
    suggest: async (action_id, typed) => (await ask("suggest", { action_id, typed })).options ?? [],
    submit: (values) => send("submit", { values }),
    close: () => send("close", {}),
  });
  if (!state.has_bot) notice("The bot is not connected yet.");
}

/** The newest message seen, per person and channel. */
const seenKey = (channel) => `sandbox-seen ${me} ${channel.id}`;
const newest = (channel) => channel.messages.at(-1)?.ts ?? "";

function showNavigation() {
  const entry = (id, label, unread) => ({ id, label, unread, current: id === here });
  const listed = (channel) => {
    const seen = stored(seenKey(channel)) ?? "";
    const unread = channel.id === here ? 0 : channel.messages.filter((message) => message.ts > seen && message.user !== me).length;
    return entry(channel.id, channel.is_im ? state.bot.name : `${channel.is_private ? "🔒 " : "# "}${channel.name}`, unread);
  };
  const channels = state.channels.filter((channel) => !channel.is_im);
  list("app", [entry(HOME, `${state.bot.name} Home`, 0)]);
  list("channels", channels.map(listed));
  list("dms", state.channels.filter((channel) => channel.is_im).map(listed));
}

/** A list of links, built anew only when it changed. */
function list(id, entries) {
  const box = $(id);
  const sign = JSON.stringify(entries);
  if (signs.get(box) === sign) return;
  signs.set(box, sign);
  const key = document.activeElement?.closest(`#${id} a`)?.getAttribute("href");
  const item = ({ id, label, unread, current }) => {
    const link = el("a", { href: `#${id}`, className: unread ? "unread" : "", "aria-current": current ? "page" : undefined }, el("span", {}, label));
    if (unread) link.append(el("span", { className: "badge" }, String(unread), el("span", { className: "hidden" }, " unread")));
    return el("li", {}, link);
  };
  box.replaceChildren(...(entries.length ? entries.map(item) : [el("li", { className: "note" }, "None yet")]));
  if (key) box.querySelector(`a[href="${CSS.escape(key)}"]`)?.focus();
  box.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** What each node was built from. */
const signs = new WeakMap();

/** Shows the entries. What has not changed stays the very same node, so that a click, the focus and a selection survive news. */
function fill(entries) {
  const box = $("messages");
  const place = `${me} ${here}`;
  const moved = box.dataset.place !== place;
  const atEnd = moved || toEnd || box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const focused = box.contains(document.activeElement) ? document.activeElement : null;
  const old = new Map(moved ? [] : [...box.children].map((node) => [node.dataset.key, node]));
  const nodes = entries.map(({ key, from, build }) => {
    const sign = JSON.stringify(from);
    const before = old.get(key);
    if (before && signs.get(before) === sign) return before;
    const node = build();
    node.dataset.key = key;
    signs.set(node, sign);
    before?.replaceWith(node);
    return node;
  });
  const wanted = new Set(nodes);
  for (const node of [...box.children]) if (!wanted.has(node)) node.remove();
  nodes.forEach((node, index) => {
    if (box.children[index] !== node) box.insertBefore(node, box.children[index] ?? null);
  });
  box.dataset.place = place;
  if (focused && focused !== box && !focused.isConnected) refocus(box, focused);
  if (atEnd && here !== HOME) box.scrollTop = box.scrollHeight;
  else if (moved) box.scrollTop = 0;
  toEnd = false;
}

/** The focus goes to the control that took the place of the one that is gone, or else to the messages. */
function refocus(box, gone) {
  const key = gone.closest("[data-key]:not(button)")?.dataset.key ?? "";
  const next = box.querySelector(`[data-key="${CSS.escape(key)}"] [data-action="${CSS.escape(gone.dataset.action ?? "")}"]`);
  (next ?? box).focus({ preventScroll: true });
}

const note = (text) => ({ key: "note", from: text, build: () => el("p", { className: "note" }, text) });

function showHome() {
  $("title").textContent = `${state.bot.name} Home`;
  $("subtitle").textContent = `As ${state.me.real_name} sees it`;
  $("composer").hidden = true;
  const build = () => el("article", { className: "home" }, ...renderBlocks(state.home.view.blocks, { names: names(), act: actor("home") }));
  fill([state.home ? { key: "home", from: state.home.hash, build } : note("The app has not published anything for you yet.")]);
}

function showChannel(channel) {
  $("title").textContent = channel.is_im ? state.bot.name : `# ${channel.name}`;
  $("subtitle").textContent = `${channel.is_archived ? "Archived. " : ""}You are ${state.me.real_name}`;
  $("composer").hidden = channel.is_archived;
  sessionStorage.setItem(seenKey(channel), newest(channel));
  const entry = (message) => ({ key: message.ts, from: message, build: () => article(message, channel) });
  const tops = channel.messages.filter((message) => !message.thread_ts);
  const entries = tops.flatMap((message) => [message, ...channel.messages.filter((reply) => reply.thread_ts === message.ts)]);
  const orphans = channel.messages.filter((m) => m.thread_ts && !tops.some((top) => top.ts === m.thread_ts));
  const all = [...entries, ...orphans].map(entry);
  fill(all.length ? all : [note("Nothing here yet. Ask for something with /approval request; /approval help shows how.")]);
}

function article(message, channel) {
  const author = message.user === state.bot.id ? state.bot.name : state.names[message.user] ?? message.user;
  const when = new Date(Number(message.ts.split(".")[0]) * 1000);
  const time = el("time", { datetime: when.toISOString() }, when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const isBot = message.user === state.bot.id;
  const head = el("header", {}, el("strong", {}, author), isBot ? el("small", { className: "tag" }, "APP") : "", time, message.edited ? el("small", {}, "(edited)") : "");
  const act = actor("message", { channel: channel.id, ts: message.ts });
  const body = message.blocks.length ? renderBlocks(message.blocks, { names: names(), act }) : [mrkdwn(message.text, names())];
  const classes = [message.only_you ? "only-you" : "", message.thread_ts ? "reply" : ""].join(" ").trim();
  const only = message.only_you ? el("p", { className: "only" }, "Only visible to you") : "";
  const face = el("span", { className: "face", "aria-hidden": "true" }, author.slice(0, 1).toUpperCase());
  return el("article", { className: classes }, face, el("div", { className: "said" }, only, head, ...body));
}

/** Somebody else sits down at another channel, perhaps with a line to send. */
function goAs(person, channel, line) {
  location.hash = channel;
  if (line) $("line").value = line;
  if (person !== me) become(person);
  $(line ? "line" : "messages").focus();
}

$("me").addEventListener("change", () => become($("me").value));
window.addEventListener("hashchange", () => {
  here = decodeURIComponent(location.hash.slice(1));
  notice(null);
  if (state?.me) show();
  if (here === HOME) send("home", {});
});
$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("line").value.trim();
  if (!text) return;
  $("line").value = "";
  history = [...history.filter((line) => line !== text), text].slice(-50);
  at = history.length;
  toEnd = true;
  sessionStorage.setItem(HISTORY, JSON.stringify(history));
  $("line").setAttribute("aria-busy", "true");
  const sent = await send("say", { channel: here, text });
  $("line").removeAttribute("aria-busy");
  if (!sent && $("line").value === "") $("line").value = text;
});
$("line").addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || !history.length) return;
  event.preventDefault();
  at = Math.min(Math.max(at + step, 0), history.length);
  $("line").value = history[at] ?? "";
});
if (here === HOME && me) send("home", {});
follow();
