// Modals: fields, errors beside them, submit and close.

import { optionNodes, renderBlocks } from "./blocks.js";
import { el, textObject } from "./text.js";

const dialog = document.getElementById("modal");
let shown = null;

/** Shows the modal on top, changes it when it changed, closes it when it is gone; what was typed survives. */
export function showModal(modal, context) {
  if (!modal) {
    shown = null;
    if (dialog.open) dialog.close();
    return;
  }
  const key = `${context.user} ${modal.id} ${modal.hash} ${JSON.stringify(modal.errors)}`;
  if (key === shown) return;
  const typed = dialog.open && dialog.dataset.view === modal.id ? readForm() : {};
  shown = key;
  dialog.dataset.view = modal.id;
  dialog.replaceChildren(build(modal, typed, context));
  if (!dialog.open) dialog.showModal();
  startAt(modal.view).focus();
}

/** The field in error; else the first field of a form; else the text, because it is to be read before the buttons below it. */
function startAt(view) {
  const wrong = dialog.querySelector("[aria-invalid=true]");
  const isForm = view.blocks[0]?.type === "input";
  return wrong ?? (isForm ? dialog.querySelector("textarea, input, select") : null) ?? dialog.querySelector(".scroll");
}

/** What the client itself finds wrong, beside the fields. */
export function showErrors(errors) {
  for (const [blockId, text] of Object.entries(errors)) {
    const field = [...dialog.querySelectorAll(".field")].find((each) => each.dataset.block === blockId);
    if (!field) continue;
    field.querySelector(".error")?.remove();
    field.append(el("p", { className: "error", role: "alert" }, text));
    field.querySelector("textarea, input, select")?.focus();
  }
}

function build(modal, typed, context) {
  const { view, errors } = modal;
  const inner = { ...context, field: (block) => field(block, typed[block.block_id], errors[block.block_id], context) };
  const close = el("button", { type: "button" }, view.close?.text ?? "Close");
  close.addEventListener("click", context.close);
  const buttons = [close];
  if (view.submit) buttons.push(el("button", { type: "submit", className: "primary" }, view.submit.text));
  const form = el("form", { novalidate: "" }, el("h2", { id: "modal-title" }, view.title.text), el("div", { className: "scroll", tabindex: "0" }, ...renderBlocks(view.blocks, inner)), el("footer", {}, ...buttons));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (view.submit) context.submit(readForm());
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && view.submit) form.requestSubmit();
  });
  dialog.oncancel = (event) => {
    event.preventDefault();
    context.close();
  };
  return form;
}

function field(block, typed, error, context) {
  const { element } = block;
  const id = `field-${block.block_id}`;
  const many = element.type === "checkboxes" || element.type === "radio_buttons";
  const label = [block.label.text, block.optional ? el("small", {}, " (optional)") : ""];
  const said = [block.hint ? `${id}-hint` : "", error ? `${id}-error` : ""].join(" ").trim();
  const input = widget(element, id, typed, { describedby: said, invalid: Boolean(error), ...context });
  const box = many ? el("fieldset", { className: "block field" }, el("legend", {}, ...label)) : el("div", { className: "block field" }, el("label", { for: id }, ...label));
  box.dataset.block = block.block_id;
  box.dataset.type = element.type;
  box.append(input);
  if (block.hint) box.append(el("p", { className: "hint", id: `${id}-hint` }, block.hint.text));
  if (error) box.append(el("p", { className: "error", id: `${id}-error`, role: "alert" }, error));
  return box;
}

function widget(element, id, typed, { describedby, invalid, names, suggest }) {
  const common = { id, "aria-describedby": describedby || undefined, "aria-invalid": invalid ? "true" : undefined };
  const placeholder = element.placeholder?.text;
  const chosen = typed ?? (element.initial_options ?? []).map((option) => option.value);
  switch (element.type) {
    case "static_select":
    case "multi_static_select": {
      const multiple = element.type === "multi_static_select";
      const first = multiple ? [] : [el("option", { value: "" }, placeholder ?? "Choose")];
      const select = el("select", { ...common, multiple }, ...first, ...optionNodes(element));
      if (multiple) for (const option of select.options) option.selected = chosen.includes(option.value);
      else select.value = typed ?? element.initial_option?.value ?? "";
      return select;
    }
    case "external_select":
    case "multi_external_select":
      return longList(element, common, typed, suggest);
    case "checkboxes":
    case "radio_buttons": {
      const kind = element.type === "checkboxes" ? "checkbox" : "radio";
      const now = kind === "checkbox" ? chosen : [typed ?? element.initial_option?.value];
      const choices = element.options.map((option) => {
        const box = el("input", { type: kind, name: id, value: option.value, checked: now.includes(option.value) });
        const more = option.description ? el("small", {}, textObject(option.description, names)) : "";
        return el("label", { className: "choice" }, box, textObject(option.text, names), more);
      });
      return el("div", {}, ...choices);
    }
    case "datepicker":
      return filled(el("input", { ...common, type: "date" }), typed ?? element.initial_date);
    case "timepicker":
      return filled(el("input", { ...common, type: "time" }), typed ?? element.initial_time);
    case "plain_text_input": {
      const name = element.multiline ? "textarea" : "input";
      const props = { ...common, placeholder, maxlength: String(element.max_length ?? 3000) };
      return filled(el(name, element.multiline ? { ...props, rows: "4" } : { ...props, type: "text" }), typed ?? element.initial_value);
    }
    default:
      return filled(el("input", { ...common, type: "text", placeholder: placeholder ?? element.type }), typed);
  }
}

/** A list that asks for what fits the letters typed so far; what is chosen stays in it. */
function longList(element, common, typed, suggest) {
  const multiple = element.type === "multi_external_select";
  const first = element.initial_options ?? (element.initial_option ? [element.initial_option] : []);
  const select = el("select", { ...common, multiple });
  const filter = el("input", { type: "search", placeholder: "Type to search", "aria-label": "Search the list" });
  const node = (value, words, selected) => el("option", { value, selected }, words);
  const offer = (options) => {
    const kept = [...select.selectedOptions].filter((option) => option.value);
    const others = options.filter(([value]) => !kept.some((option) => option.value === value));
    const none = multiple ? [] : [node("", element.placeholder?.text ?? "Choose", false)];
    select.replaceChildren(...none, ...kept, ...others.map(([value, words]) => node(value, words, false)));
  };
  const chosen = typed === undefined ? first.map((option) => option.value) : [typed].flat();
  select.append(...first.map((option) => node(option.value, option.text.text, chosen.includes(option.value))));
  const refill = async () => {
    if (filter.value.length >= (element.min_query_length ?? 3)) offer(await suggest(element.action_id, filter.value));
  };
  filter.addEventListener("input", refill);
  refill();
  return el("div", { className: "long-list" }, filter, select);
}

function filled(input, value) {
  input.value = value ?? "";
  return input;
}

function readForm() {
  const values = {};
  for (const field of dialog.querySelectorAll(".field")) {
    const inputs = [...field.querySelectorAll("input, select, textarea")];
    const { block, type } = field.dataset;
    if (type === "checkboxes") values[block] = inputs.filter((input) => input.checked).map((input) => input.value);
    else if (type === "radio_buttons") values[block] = inputs.find((input) => input.checked)?.value ?? "";
    else if (type.startsWith("multi_")) values[block] = [...inputs.at(-1).selectedOptions].map((option) => option.value);
    else if (type === "external_select") values[block] = inputs.at(-1).value;
    else values[block] = inputs[0].value;
  }
  return values;
}
