// The e-mails of the person one acts as. The workspace keeps them; none leaves this machine.

import { el, link } from "./text.js";

/** The entries of the list, newest first. */
export function mailEntries(state) {
  return state.mails.map((mail) => ({ key: `mail ${mail.serial}`, from: mail, build: () => letter(mail) }));
}

/** How many came after the newest one that was read. */
export const unreadMails = (state, read) => state.mails.filter((mail) => mail.serial > read).length;

function letter(mail) {
  const when = new Date(mail.at_ms);
  const time = el("time", { datetime: when.toISOString() }, when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
  const head = el("header", {}, el("strong", {}, mail.subject), time);
  return el("article", { className: "mail", "aria-label": mail.subject }, head, el("p", { className: "note" }, `To ${mail.to}`), el("p", { className: "letter" }, ...linked(mail.text)));
}

/** A text whose addresses of web pages are links. */
const linked = (text) => text.split(/(https?:\/\/[^\s>]+)/).map((part, index) => (index % 2 ? link(part, part) : part));
