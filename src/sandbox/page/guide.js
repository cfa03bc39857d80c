// A slim guide for somebody who is here for the first time: one line with the next step, ticked off as it is done.

import { isSecondPane, keep, kept, keptSet } from "./kept.js";
import { el } from "./text.js";

const ASK = '/approval request release.deploy project=api-platform env=production release=v1.4.2 reason="hotfix for checkout"';
const EXPLAIN = "/approval explain release.deploy project=api-platform env=production";
const CLOSED = "guide-closed";

const box = document.getElementById("guide");
const done = keptSet("guide-done");
let shown = "";
let isOpen = false;

/** Marks a step of another part of the page as done. */
export function tick(step) {
  if (done.add(step)) shown = "";
}

/** The text of all messages that this person sees. */
const visible = (state) => JSON.stringify(state.channels.map((channel) => channel.messages));
/** The card of the guide's own request. */
const card = (state) => JSON.stringify(state.channels.flatMap((channel) => channel.messages).filter((message) => message.blocks.length && /v1\.4\.2/.test(message.text)));

function steps(state, goAs) {
  const person = (name) => state.people.find((each) => each.name === name)?.id;
  const channel = (name) => state.channels.find((each) => each.name === name)?.id;
  const [alice, bob, mallory, carol] = ["alice", "bob", "mallory", "carol"].map(person);
  const [approvals, prod] = ["approvals", "prod-approvals"].map(channel);
  if (![alice, bob, mallory, carol, approvals, prod].every(Boolean)) return [];
  const go = (label, ...where) => [label, () => goAs(...where)];
  return [
    { id: "ask", text: "As Alice, ask for a release to production.", button: go("Be Alice, fill in the command", alice, approvals, ASK), test: () => /v1\.4\.2/.test(card(state)) },
    { id: "approve", text: "As Bob, press Approve on the new card.", button: go("Be Bob", bob, prod), test: () => /Bob Brown[^a-z]*approved/.test(card(state)) },
    { id: "refuse", text: "As Mallory, press Approve too: Countersign refuses and lists who may.", button: go("Be Mallory", mallory, prod), test: () => /not an eligible approver/.test(visible(state)) },
    { id: "complete", text: "As Carol of SRE, press Approve: the quorum is met.", button: go("Be Carol", carol, prod), test: () => /Carol Clark[^a-z]*approved/.test(card(state)) },
    { id: "explain", text: "Find out who would have to approve something, without asking them.", button: go("Fill in the question", alice, approvals, EXPLAIN), test: () => /The request would /.test(visible(state)) },
    { id: "break", text: "Break something: take Slack down, or let a day pass.", button: ["Break it", () => document.getElementById("tool-break").click()], test: () => false },
    { id: "protocol", text: "See every delivery and call with its signature.", button: ["Open the protocol", () => document.getElementById("tool-protocol").click()], test: () => false },
  ];
}

/** Shows it in a workspace that has the example's people and channels; closed, it stays closed. */
export function showGuide(state, goAs) {
  const all = isSecondPane || kept(CLOSED) ? [] : steps(state, goAs);
  for (const step of all) if (!done.has(step.id) && step.test()) tick(step.id);
  const next = all.find((step) => !done.has(step.id));
  const sign = JSON.stringify([all.map((step) => done.has(step.id)), isOpen]);
  box.hidden = all.length === 0;
  if (box.hidden || sign === shown) return;
  shown = sign;
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const button = (step) => {
    const node = el("button", { type: "button", "data-key": step.id }, step.button[0]);
    node.addEventListener("click", step.button[1]);
    return node;
  };
  const toggle = el("button", { type: "button", "data-key": "toggle", "aria-expanded": String(isOpen) }, isOpen ? "Hide steps" : "All steps");
  toggle.addEventListener("click", () => {
    isOpen = !isOpen;
    showGuide(state, goAs);
  });
  const close = el("button", { type: "button", "data-key": "close", "aria-label": "Close the guide" }, "×");
  close.addEventListener("click", () => {
    keep(CLOSED, "yes");
    box.hidden = true;
    document.getElementById("messages").focus();
  });
  const count = all.filter((step) => done.has(step.id)).length;
  const now = next ? [el("span", {}, next.text), isOpen ? "" : button(next)] : [el("span", {}, "That was the tour. Try your own requests, or read docs/tutorial.md.")];
  const item = (step) => el("li", { className: done.has(step.id) ? "done" : "" }, el("span", {}, step.text), done.has(step.id) ? el("strong", {}, "Done") : button(step));
  box.replaceChildren(
    el("div", { className: "bar" }, el("strong", {}, `Guide ${count} of ${all.length}`), ...now, el("span", { className: "end" }, toggle, close)),
    isOpen ? el("ol", {}, ...all.map(item)) : "",
  );
  if (focused) (box.querySelector(`[data-key="${focused}"]`) ?? toggle).focus();
}
