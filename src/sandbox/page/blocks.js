// Block Kit as DOM nodes. `act(element, blockId, option)` is called when something is used.

import { el, mrkdwn, richText, signedIn, textObject } from "./text.js";

/** All the blocks of a message, of Home or of a modal. */
export function renderBlocks(blocks, context) {
  return (blocks ?? []).map((block) => renderBlock(block, context));
}

function renderBlock(block, context) {
  const { names } = context;
  switch (block.type) {
    case "header":
      return el("h3", { className: "block" }, textObject(block.text, names));
    case "divider":
      return el("hr");
    case "section":
      return section(block, context);
    case "context": {
      const parts = block.elements.map((part) => (part.type === "image" ? image(part) : textObject(part, names)));
      return el("div", { className: "block context" }, ...parts);
    }
    case "actions": {
      const parts = block.elements.map((element) => control(element, block, context));
      return el("div", { className: "block actions", role: "group" }, ...parts);
    }
    case "input":
      return context.field ? context.field(block) : el("div", { className: "block" }, control(block.element, block, context));
    case "image":
      return el("div", { className: "block" }, image(block));
    case "rich_text":
      return el("div", { className: "block" }, richText(block, names));
    case "markdown":
      return el("div", { className: "block" }, mrkdwn(block.text, names));
    default:
      return el("div", { className: "block unknown" }, `[${block.type}]`);
  }
}

function section(block, context) {
  const box = el("div", { className: "block section" });
  const body = el("div", { className: "body" });
  if (block.text) body.append(textObject(block.text, context.names));
  if (block.fields) {
    const fields = block.fields.map((field) => el("div", {}, textObject(field, context.names)));
    body.append(el("div", { className: "fields" }, ...fields));
  }
  box.append(body);
  if (block.accessory) box.append(control(block.accessory, block, context));
  return box;
}

// images of other hosts are not loaded: the page speaks with this sandbox only
const image = (part) => el("span", { className: "image" }, `[image: ${part.alt_text ?? ""}]`);

/** A button, a menu or a choice outside a form. */
function control(element, block, context) {
  const { names, act } = context;
  switch (element.type) {
    case "image":
      return image(element);
    case "button": {
      const props = { type: "button", className: element.style, "aria-label": element.accessibility_label, "data-action": element.action_id };
      const button = el("button", props, element.text.text);
      button.addEventListener("click", async () => {
        if (button.getAttribute("aria-busy")) return;
        if (/^https?:/i.test(element.url ?? "")) window.open(signedIn(element.url), "_blank", "noopener");
        button.setAttribute("aria-busy", "true");
        await act(element, block.block_id);
        button.removeAttribute("aria-busy");
      });
      return button;
    }
    case "static_select":
    case "overflow":
    case "radio_buttons": {
      const label = element.placeholder?.text ?? (element.type === "overflow" ? "More actions" : "Choose");
      const select = el("select", { "aria-label": label }, el("option", { value: "" }, label), ...optionNodes(element, names));
      select.value = element.initial_option?.value ?? "";
      select.addEventListener("change", () => {
        if (select.value) act(element, block.block_id, select.value);
      });
      return select;
    }
    default:
      return el("span", { className: "unknown" }, `[${element.type}]`);
  }
}

/** The options of a select, in their groups. */
export function optionNodes(element) {
  const option = (each) => el("option", { value: each.value }, each.text.text);
  if (element.option_groups) {
    return element.option_groups.map((group) => el("optgroup", { label: group.label.text }, ...group.options.map(option)));
  }
  return (element.options ?? []).map(option);
}

/** Asks with a confirm object of Block Kit; answers whether to go on. */
export function askFirst(confirm, names) {
  if (!confirm) return Promise.resolve(true);
  const dialog = document.getElementById("confirm");
  const yes = el("button", { type: "submit", value: "yes", className: confirm.style ?? "primary" }, confirm.confirm?.text ?? "Yes");
  const no = el("button", { type: "submit", value: "no" }, confirm.deny?.text ?? "No");
  const form = el("form", { method: "dialog" }, el("h2", { id: "confirm-title" }, confirm.title.text), textObject(confirm.text, names), el("footer", {}, no, yes));
  dialog.replaceChildren(form);
  dialog.returnValue = "no";
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
