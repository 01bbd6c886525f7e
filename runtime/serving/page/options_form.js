// The form of a task's options, made from what the server says of them.

import { make, words } from "./elements.js";

const MOST_SEED = 2 ** 31;

export class OptionsForm {
  constructor(container) {
    this.container = container;
    this.fields = [];
  }

  // `labels` are the model's, for options that name one.
  show(options, labels = []) {
    const kept = new Map(this.values());
    this.fields = options.map((option) => ({ option, ...field(option, labels) }));
    for (const { option, input } of this.fields) {
      // What was typed stays where another task has the same option; a choice only if it is there.
      if (kept.has(option.name)) setValue(input, kept.get(option.name));
    }
    this.container.replaceChildren(...this.fields.map(({ element }) => element));
  }

  // What differs from the defaults, as [name, text].
  values() {
    return this.fields.flatMap(({ option, input }) => {
      const value = input.type === "checkbox" ? String(input.checked) : input.value.trim();
      return value === "" || value === String(option.default ?? "") ? [] : [[option.name, value]];
    });
  }

  isChecked(name) {
    return Boolean(this.fields.find(({ option }) => option.name === name)?.input.checked);
  }

  // Marks the first field that cannot be so, and gives it; null where all can be.
  firstInvalid() {
    let first = null;
    for (const { input, problem } of this.fields) {
      const invalid = !input.checkValidity();
      input.setAttribute("aria-invalid", invalid);
      problem.textContent = invalid ? input.validationMessage : "";
      if (invalid) first ??= input;
    }
    return first;
  }
}

function setValue(input, value) {
  if (input.type === "checkbox") input.checked = value === "true";
  else if (input.tagName !== "SELECT" || [...input.options].some((choice) => choice.value === value)) input.value = value;
}

function field(option, labels) {
  const id = `option-${option.name}`;
  const input = control(option, labels, id);
  const problem = make("p", { class: "wrong", id: `${id}-problem`, "aria-live": "polite" });
  const help = make("p", { class: "help", id: `${id}-help` }, option.help ?? "");
  const label = make("label", { for: id }, words(option.name));
  const own = input.type === "checkbox" ? [input, label] : [label, withDice(option, input)];
  const kind = input.type === "checkbox" ? "field check" : "field";
  return { input, problem, element: make("div", { class: kind }, ...own, help, problem) };
}

function control(option, labels, id) {
  const about = { id, "aria-describedby": `${id}-help ${id}-problem` };
  const { type, default: preset, minimum, maximum } = option;
  if (type === "boolean") return make("input", { ...about, type: "checkbox", checked: Boolean(preset) });
  const choices = option.choices ?? (option.name === "class" && labels.length ? labels : null);
  if (choices) {
    const any = option.choices && preset !== null ? [] : [make("option", { value: "" }, shownDefault(option) || "any")];
    const each = choices.map((choice) => make("option", { value: choice, selected: choice === preset }, choice));
    return make("select", about, ...any, ...each);
  }
  const isNumber = type === "integer" || type === "number";
  const value = Array.isArray(preset) ? preset.join(",") : preset;
  const shown = { ...about, value, placeholder: shownDefault(option) || option.form };
  if (!isNumber) return make("input", { ...shown, type: "text", autocomplete: "off", spellcheck: "false" });
  return make("input", {
    ...shown,
    type: "number",
    inputmode: type === "integer" ? "numeric" : "decimal",
    min: minimum,
    max: maximum,
    step: type === "integer" ? 1 : "any",
  });
}

const shownDefault = ({ shown_default: shown }) => shown ?? "";

// A seed is drawn as easily as it is typed.
function withDice(option, input) {
  if (option.name !== "seed") return input;
  const dice = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#icon-dice");
  dice.append(use);
  const draw = () => (input.value = Math.floor(Math.random() * MOST_SEED));
  const words = { "aria-label": "Another seed", title: "Another seed" };
  return make("div", { class: "with-button" }, input, make("button", { type: "button", class: "icon", onclick: draw, ...words }, dice));
}
