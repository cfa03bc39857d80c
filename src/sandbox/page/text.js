// Slack's text: mrkdwn, plain text and rich text as DOM nodes. Nothing is ever parsed as HTML.

let ahead = 0;

/** The workspace's clock, which may be ahead of the browser's. */
export function setClock(ms) {
  ahead = ms - Date.now();
}

const now = () => Date.now() + ahead;

/** An element with properties and children; strings become text nodes. */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key === "className" ? "class" : key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

let pages = { url: null, me: null };

/** Where the bot's own pages are, and who looks at the workspace: a link to one of the pages opens it as that person. */
export function setPages(url, me) {
  pages = { url, me };
}

export function signedIn(address) {
  if (!pages.url || !pages.me || !address.startsWith(`${pages.url}/`)) return address;
  const query = new URLSearchParams({ as: pages.me, next: address.slice(pages.url.length) });
  return `${pages.url}/sign-in?${query}`;
}

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** A link; only web and mail addresses become clickable. */
export function link(address, label) {
  if (!/^(https?:|mailto:)/i.test(address)) return el("span", {}, label);
  return el("a", { href: signedIn(address), target: "_blank", rel: "noopener noreferrer" }, label);
}

/** A date in the reader's own zone, by Slack's tokens. */
function date(seconds, format, fallback) {
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return el("span", {}, fallback);
  const show = (options) => new Intl.DateTimeFormat(undefined, options).format(when);
  const days = { year: "numeric", month: "long", day: "numeric" };
  const short = { year: "numeric", month: "short", day: "numeric" };
  const tokens = {
    date_num: () => when.toISOString().slice(0, 10),
    date: () => show(days),
    date_short: () => show(short),
    date_long: () => show({ ...days, weekday: "long" }),
    date_pretty: () => near(when) ?? show(days),
    date_short_pretty: () => near(when) ?? show(short),
    date_long_pretty: () => near(when) ?? show({ ...days, weekday: "long" }),
    time: () => show({ hour: "2-digit", minute: "2-digit" }),
    time_secs: () => show({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    ago: () => `${Math.round((now() - when) / 60000)} min ago`,
  };
  const text = format.replace(/\{(\w+)\}/g, (whole, token) => (tokens[token] ? tokens[token]() : whole));
  return el("time", { datetime: when.toISOString(), title: fallback }, text);
}

function near(when) {
  const day = (moment) => new Date(moment).setHours(0, 0, 0, 0);
  const apart = Math.round((day(when) - day(now())) / 86_400_000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[apart];
}

/** What stands between < and >. */
function mark(inner, names) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? null : unescape(inner.slice(bar + 1));
  const mention = (text) => el("span", { className: "mention" }, text);
  if (target.startsWith("@")) return mention(`@${names.users[target.slice(1)] ?? target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${names.channels[target.slice(1)] ?? target.slice(1)}`);
  if (target.startsWith("!subteam^")) return mention(`@${names.groups[target.slice(9)] ?? target.slice(9)}`);
  if (target.startsWith("!date^")) {
    const [, seconds, format, address] = target.split("^");
    const node = date(seconds, unescape(format ?? ""), label ?? "");
    return address ? link(unescape(address), node) : node;
  }
  if (target.startsWith("!")) return mention(`@${target.slice(1)}`);
  const address = unescape(target);
  return link(address, label ?? address);
}

const INLINE = /<([^<>\n]+)>|`([^`\n]+)`|(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])|(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])|(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])/g;

/** One line: marks, code, bold, italics, strike. */
function inline(line, names) {
  const out = [];
  let last = 0;
  for (const found of line.matchAll(INLINE)) {
    out.push(unescape(line.slice(last, found.index)));
    const [, marked, code, bold, italic, strike] = found;
    if (marked !== undefined) out.push(mark(marked, names));
    else if (code !== undefined) out.push(el("code", {}, ...codeText(code, names)));
    else if (bold !== undefined) out.push(el("strong", {}, ...inline(bold, names)));
    else if (italic !== undefined) out.push(el("em", {}, ...inline(italic, names)));
    else out.push(el("s", {}, ...inline(strike, names)));
    last = found.index + found[0].length;
  }
  out.push(unescape(line.slice(last)));
  return out;
}

/** Inside code only marks are special. */
function codeText(text, names) {
  return text.split(/(<[^<>\n]+>)/).map((part) => (/^<.+>$/.test(part) ? mark(part.slice(1, -1), names) : unescape(part)));
}

/** mrkdwn: code blocks, quotes, lists that were typed, lines. */
export function mrkdwn(text, names) {
  const box = el("div", { className: "text" });
  text.split("```").forEach((part, index) => {
    if (index % 2) {
      box.append(el("pre", {}, el("code", {}, ...codeText(part.replace(/^\n/, ""), names))));
      return;
    }
    for (const line of part.replace(/^\n|\n$/g, "").split("\n")) {
      if (line === "" && part.trim() === "") continue;
      const quote = /^(&gt;|>) ?/.exec(line);
      const nodes = inline(quote ? line.slice(quote[0].length) : line, names);
      box.append(quote ? el("blockquote", {}, ...nodes) : el("p", {}, ...nodes));
    }
  });
  return box;
}

/** A text object of Block Kit. */
export function textObject(object, names) {
  if (!object) return el("span");
  if (object.type === "mrkdwn") return mrkdwn(object.text ?? "", names);
  return el("span", { className: "plain" }, object.text ?? "");
}

/** A rich_text block. */
export function richText(block, names) {
  return el("div", { className: "text" }, ...(block.elements ?? []).map((part) => richPart(part, names)));
}

function richPart(part, names) {
  const nodes = () => (part.elements ?? []).map((piece) => richPiece(piece, names));
  switch (part.type) {
    case "rich_text_list": {
      const items = (part.elements ?? []).map((item) => el("li", {}, richPart(item, names)));
      return el(part.style === "ordered" ? "ol" : "ul", {}, ...items);
    }
    case "rich_text_preformatted":
      return el("pre", {}, el("code", {}, ...nodes()));
    case "rich_text_quote":
      return el("blockquote", {}, ...nodes());
    default:
      return el("p", {}, ...nodes());
  }
}

function richPiece(piece, names) {
  const tags = { bold: "strong", italic: "em", strike: "s", code: "code" };
  const plain = {
    text: () => piece.text,
    user: () => mark(`@${piece.user_id}`, names),
    usergroup: () => mark(`!subteam^${piece.usergroup_id}`, names),
    channel: () => mark(`#${piece.channel_id}`, names),
    broadcast: () => mark(`!${piece.range}`, names),
    link: () => link(piece.url, piece.text ?? piece.url),
    date: () => date(piece.timestamp, piece.format ?? "{date}", piece.fallback ?? ""),
    emoji: () => (piece.unicode ? String.fromCodePoint(...piece.unicode.split("-").map((hex) => parseInt(hex, 16))) : `:${piece.name}:`),
  };
  let node = plain[piece.type] ? plain[piece.type]() : "";
  for (const [style, tag] of Object.entries(tags)) {
    if (piece.style?.[style]) node = el(tag, {}, node);
  }
  return node;
}
