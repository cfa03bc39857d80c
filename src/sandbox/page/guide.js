// Three things to try, for somebody who is here for the first time.

import { el } from "./text.js";

const ASK = '/approval request release.deploy project=api-platform env=production release=v1.4.2 reason="hotfix for checkout"';
const EXPLAIN = "/approval explain release.deploy project=api-platform env=production";
const CLOSED = "sandbox-guide-closed";

const hasRoom = () => window.matchMedia("(min-width: 44rem)").matches;

/** Shows it in a workspace that has the example's people and channels; closed, it stays closed. */
export function showGuide(state, goAs) {
  const box = document.getElementById("guide");
  if (box.childElementCount) return;
  const person = (name) => state.people.find((each) => each.name === name)?.id;
  const channel = (name) => state.channels.find((each) => each.name === name)?.id;
  const cast = ["alice", "bob", "mallory", "carol"].map(person);
  const rooms = ["approvals", "prod-approvals"].map(channel);
  if (![...cast, ...rooms].every(Boolean)) return;
  const [alice, bob, mallory, carol] = cast;
  const [approvals, prod] = rooms;
  const go = (label, ...where) => {
    const button = el("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      if (!hasRoom()) box.open = false;
      goAs(...where);
    });
    return button;
  };
  const step = (words, ...buttons) => el("li", {}, el("span", {}, words), el("span", { className: "steps" }, ...buttons));
  box.append(
    el("summary", {}, "New here? Three things to try"),
    el(
      "ol",
      {},
      step("As Alice, ask for a release to production.", go("Be Alice, fill in the command", alice, approvals, ASK)),
      step("Approve it in #prod-approvals: as Bob, as Mallory (who may not), then as Carol, who completes it.", go("Be Bob", bob, prod), go("Be Mallory", mallory, prod), go("Be Carol", carol, prod)),
      step("Ask who would have to approve something, without asking them.", go("Fill in the question", alice, approvals, EXPLAIN)),
    ),
    el("p", { className: "note" }, "You can be anybody: pick a name under “You are”. Enter sends what stands below."),
  );
  box.hidden = false;
  const isNew = state.channels.every((each) => each.messages.length === 0);
  box.open = !sessionStorage.getItem(CLOSED) && (isNew || hasRoom());
  box.addEventListener("toggle", () => {
    if (box.open) sessionStorage.removeItem(CLOSED);
    else sessionStorage.setItem(CLOSED, "yes");
  });
}
