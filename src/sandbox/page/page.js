// The sandbox's page: reads the state as one person sees it and sends what that person does.

import { askFirst, renderBlocks } from "./blocks.js";
import { startComposer } from "./composer.js";
import { showGuide } from "./guide.js";
import { isSecondPane, keep, kept, keptSet } from "./kept.js";
import { mailEntries, unreadMails } from "./mail.js";
import { showErrors, showModal } from "./modal.js";
import { el, mrkdwn, setClock, setPages } from "./text.js";
import { showTools, startTools } from "./tools.js";

const $ = (id) => document.getElementById(id);
const HOME = "home";
const MAIL = "mail";
/** Older messages do not count as unread when somebody looks at a channel for the first time. */
const RECENT_MS = 3_600_000;
let state = null;
const named = new URLSearchParams(location.search).get("as");
let me = isSecondPane ? (kept("me") ?? named) : (named ?? kept("me"));
let here = decodeURIComponent(location.hash.slice(1)) || null;
let asking = new AbortController();
let toEnd = false;
/** Ephemeral messages that were dismissed, and threads that were opened. */
const dismissed = keptSet("dismissed");
const openThreads = keptSet("threads");
/** Where the unread messages of the shown channel begin. */
let newFrom = { place: null, ts: null };

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
      setClock(state.now_ms);
      setPages(state.bot_url, state.me?.id);
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
  keep("me", id ?? "");
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
  if (here === MAIL ? !state.mails : here !== HOME && !state.channels.some((channel) => channel.id === here)) {
    here = state.channels.find((channel) => !channel.is_im)?.id ?? HOME;
  }
  showFaces();
  showGuide(state, goAs);
  showTools();
  showNavigation();
  if (here === HOME) showHome();
  else if (here === MAIL) showMails();
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

/** One click to act as somebody else. */
function showFaces() {
  const box = $("faces");
  const sign = JSON.stringify([state.people, me]);
  if (signs.get(box) === sign) return;
  signs.set(box, sign);
  const focused = box.contains(document.activeElement);
  const face = (person) => {
    const isMe = person.id === me;
    const button = el("button", { type: "button", className: "face", title: person.real_name, "aria-label": `Be ${person.real_name}`, "aria-pressed": String(isMe) }, initials(person.real_name));
    button.addEventListener("click", () => become(person.id));
    return button;
  };
  box.replaceChildren(...state.people.map(face));
  if (focused) box.querySelector("[aria-pressed=true]")?.focus();
}

const initials = (name) => name.split(" ").map((word) => word[0]).join("").slice(0, 2).toUpperCase();

/** The newest message seen, per person and channel. */
const seenKey = (channel) => `seen ${me} ${channel.id}`;
const mailKey = () => `mails ${me}`;
const newest = (channel) => channel.messages.at(-1)?.ts ?? "";
const seen = (channel) => kept(seenKey(channel)) ?? String((state.now_ms - RECENT_MS) / 1000);

function showNavigation() {
  const entry = (id, label, unread) => ({ id, label, unread, current: id === here });
  const listed = (channel) => {
    const unread = channel.id === here ? 0 : channel.messages.filter((message) => message.ts > seen(channel) && message.user !== me).length;
    return entry(channel.id, channel.is_im ? state.bot.name : `${channel.is_private ? "🔒 " : "# "}${channel.name}`, unread);
  };
  const channels = state.channels.filter((channel) => !channel.is_im);
  list("app", [entry(HOME, `${state.bot.name} Home`, 0)]);
  list("channels", channels.map(listed));
  $("beside").hidden = !state.mails;
  if (state.mails) list("mails", [entry(MAIL, "E-mail", here === MAIL ? 0 : unreadMails(state, Number(kept(mailKey()) ?? 0)))]);
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
  if (atEnd && here !== HOME && here !== MAIL) box.scrollTop = box.scrollHeight;
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

function showMails() {
  $("title").textContent = "E-mail";
  $("subtitle").textContent = `To ${state.me.real_name}`;
  $("composer").hidden = true;
  keep(mailKey(), String(state.mails[0]?.serial ?? 0));
  fill(state.mails.length ? mailEntries(state) : [note("No e-mail yet. One follows each reminder and the outcome of a request, and break-glass alerts while Slack is down.")]);
}

function showChannel(channel) {
  $("title").textContent = channel.is_im ? state.bot.name : `# ${channel.name}`;
  $("subtitle").textContent = `${channel.is_archived ? "Archived. " : ""}You are ${state.me.real_name}`;
  $("composer").hidden = channel.is_archived;
  const place = `${me} ${channel.id}`;
  if (newFrom.place !== place) {
    const first = channel.messages.find((message) => message.ts > seen(channel) && message.user !== me);
    newFrom = { place, ts: first?.ts ?? null };
  }
  keep(seenKey(channel), newest(channel));
  const messages = channel.messages.filter((message) => !(message.only_you && dismissed.has(message.ts)));
  const isTop = (message) => !message.thread_ts || !messages.some((top) => top.ts === message.thread_ts);
  let day = null;
  const entries = messages.filter(isTop).flatMap((message) => {
    const replies = messages.filter((reply) => reply.thread_ts === message.ts);
    const today = dayOf(message.ts);
    const dividers = [];
    if (today !== day) dividers.push(divider(`day ${today}`, today, ""));
    if (message.ts === newFrom.ts) dividers.push(divider("new", "New", "new"));
    day = today;
    return [...dividers, { key: message.ts, from: [message, replies], build: () => article(message, channel, replies) }];
  });
  fill(entries.length ? entries : [note("Nothing here yet. Ask for something with /approval request; /approval help shows how.")]);
}

const momentOf = (ts) => new Date(Number(ts.split(".")[0]) * 1000);
const dayOf = (ts) => momentOf(ts).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
const divider = (key, words, className) => ({ key, from: words, build: () => el("p", { className: `divider ${className}`.trim() }, el("span", {}, words)) });

function article(message, channel, replies) {
  const author = message.user === state.bot.id ? state.bot.name : state.names[message.user] ?? message.user;
  const when = momentOf(message.ts);
  const time = el("time", { datetime: when.toISOString() }, when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const isBot = message.user === state.bot.id;
  const head = el("header", {}, el("strong", {}, author), isBot ? el("small", { className: "tag" }, "APP") : "", time, message.edited ? el("small", {}, "(edited)") : "");
  const act = actor("message", { channel: channel.id, ts: message.ts });
  const body = message.blocks.length ? renderBlocks(message.blocks, { names: names(), act }) : [mrkdwn(message.text, names())];
  const classes = [message.only_you ? "only-you" : "", message.thread_ts ? "reply" : ""].join(" ").trim();
  const only = message.only_you ? el("p", { className: "only" }, "Only visible to you", dismissal(message)) : "";
  const face = el("span", { className: "face", "aria-hidden": "true" }, initials(author));
  const said = el("div", { className: "said" }, only, head, ...body);
  if (!message.only_you && !message.thread_ts) said.append(thread(message, channel, replies));
  return el("article", { className: classes, "aria-label": `${author}, ${time.textContent}` }, face, said);
}

/** Only the page forgets it, as Slack's clients do. */
function dismissal(message) {
  const button = el("button", { type: "button", className: "quiet" }, "Dismiss");
  button.addEventListener("click", () => {
    dismissed.add(message.ts);
    show();
    $("messages").focus();
  });
  return button;
}

/** The replies, and a line to add one. */
function thread(message, channel, replies) {
  const words = replies.length ? `${replies.length} ${replies.length === 1 ? "reply" : "replies"}` : "Reply in thread";
  const input = el("input", { type: "text", "aria-label": "Reply in thread", placeholder: "Reply" });
  const form = el("form", { className: "bar" }, input, el("button", { type: "submit" }, "Reply"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (input.value.trim()) await send("say", { channel: channel.id, text: input.value, thread_ts: message.ts });
  });
  const box = el("details", { className: replies.length ? "thread" : "thread empty", open: openThreads.has(message.ts) }, el("summary", {}, words), ...replies.map((reply) => article(reply, channel, [])), channel.is_archived ? "" : form);
  box.addEventListener("toggle", () => box.open && openThreads.add(message.ts));
  return box;
}

/** Somebody else sits down at another channel, perhaps with a line to send. */
function goAs(person, channel, line) {
  location.hash = channel;
  if (line) $("line").value = line;
  if (person !== me) become(person);
  $(line ? "line" : "messages").focus();
  if (line) $("line").setSelectionRange(line.length, line.length);
}

$("me").addEventListener("change", () => become($("me").value));
window.addEventListener("hashchange", () => {
  here = decodeURIComponent(location.hash.slice(1));
  notice(null);
  if (state?.me) show();
  if (here === HOME) send("home", {});
});
/** A second pane for a second person: the same page once more. */
$("tool-pair").addEventListener("click", () => {
  const other = $("other");
  if (other) other.remove();
  else {
    const person = state.people.find((each) => each.id !== me && each.name === "bob") ?? state.people.find((each) => each.id !== me);
    document.body.append(el("iframe", { id: "other", title: "A second person", src: `/?pane=2&as=${person.id}#${here}` }));
  }
  $("tool-pair").setAttribute("aria-pressed", String(!other));
  document.body.classList.toggle("with-pair", !other);
});
document.body.classList.toggle("second-pane", isSecondPane);
startTools({ ask, state: () => state, here: () => here });
startComposer((text) => {
  toEnd = true;
  return send("say", { channel: here, text });
});
if (here === HOME && me) send("home", {});
follow();
