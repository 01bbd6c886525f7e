// What is to be done: the task, the model for it, its options, and what the model is good and bad at.

import { prepare, readModel, readModels, readTasks } from "./backend.js";
import { byId, make, words } from "./elements.js";
import { figureShown } from "./figures.js";
import { defaultModel, firstTask } from "./first_choice.js";
import { OptionsForm } from "./options_form.js";
import { showFacts } from "./result_panel.js";

const FILES = ["image", "mask"];

// Events: "change" where there is another task or model, "options" where an option has another value.
export class Chooser extends EventTarget {
  #options = new OptionsForm(byId("options"));
  #details = new Map();

  // Asks what there is; a task that wants files of another kind is none for this page.
  async open() {
    this.models = await readModels();
    this.tasks = (await readTasks()).filter(({ inputs, optional, answer }) =>
      answer !== "file" && inputs.every((input) => FILES.includes(input) || optional.includes(input)),
    );
    byId("task-choices").replaceChildren(...this.tasks.map((task) => this.#choice(task)));
    byId("model").addEventListener("change", () => this.#chooseModel(byId("model").value));
    byId("options").addEventListener("change", () => this.dispatchEvent(new Event("options")));
    this.choose(firstTask(this.tasks).name);
  }

  choose(task, model) {
    this.task = this.tasks.find(({ name }) => name === task);
    byId(`task-${task}`).checked = true;
    // Without a picture there is nothing to do but to set the options.
    byId("options-box").open = !this.task.inputs.length;
    byId("task-summary").textContent = this.task.title ?? "";
    const models = this.models.filter((each) => each.task === task);
    const chosen = defaultModel(models, task, model);
    byId("model-field").hidden = models.length < 2;
    byId("model").replaceChildren(
      ...models.map(({ name, precision }) =>
        make("option", { value: name, selected: name === chosen?.name }, precision ? `${name} (${precision})` : name),
      ),
    );
    this.#chooseModel(chosen?.name);
  }

  // Tasks that cannot be chosen now are shown so; `usable` is asked for each.
  limit(usable) {
    for (const task of this.tasks) byId(`task-${task.name}`).disabled = !usable(task);
  }

  // [name, text] for the form of a request, or null, with the field in question focused.
  fields() {
    const invalid = this.#options.firstInvalid();
    if (invalid) {
      byId("options-box").open = true;
      invalid.focus();
      return null;
    }
    return [...(this.model ? [["model", this.model.name]] : []), ...this.#options.values()];
  }

  // Whether the task takes a mask that somebody paints: it may also be in the picture.
  get takesMask() {
    return this.task.inputs.includes("mask") && !this.#options.isChecked("mask-from-alpha");
  }

  // Whether it does nothing without.
  get needsMask() {
    return this.takesMask && !this.task.optional.includes("mask");
  }

  // The task's own part of the metadata of the model, as far as it is known.
  async specification(name = this.model?.name) {
    const details = name ? await this.#detail(name) : {};
    return (details.metadata ?? details).spec ?? {};
  }

  #choice({ name }) {
    const input = make("input", { type: "radio", name: "task", id: `task-${name}`, value: name });
    input.addEventListener("change", () => this.choose(name));
    return make("label", {}, input, make("span", {}, words(name)));
  }

  #chooseModel(name) {
    this.model = this.models.find((model) => model.name === name) ?? null;
    const options = this.task.options.filter((option) => option.name !== "model");
    byId("options-box").hidden = !options.length;
    this.#options.show(options, this.model?.labels ?? []);
    this.#showCard();
    if (name) prepare(name);
    this.dispatchEvent(new Event("change"));
  }

  async #detail(name) {
    if (!this.#details.has(name)) this.#details.set(name, readModel(name));
    return this.#details.get(name).catch(() => ({}));
  }

  #showCard() {
    const { model } = this;
    byId("card").hidden = !model;
    byId("limits").hidden = !model?.bad_at;
    if (!model) return;
    byId("limits").textContent = model.bad_at;
    byId("card-title").textContent = model.name;
    byId("card-limits").textContent = model.bad_at ?? "";
    showFacts(byId("card-facts"), cardFacts(model));
  }
}

function cardFacts({ precision, labels = [], styles = [], input, quality = {}, licence }) {
  const facts = [];
  if (labels.length) facts.push(["Knows", labels.length > 20 ? `${labels.length} labels` : labels.join(", ")]);
  if (styles.length) facts.push(["Styles", styles.join(", ")]);
  if (input?.size) facts.push(["Looks at", `${input.size[1]} × ${input.size[0]} pixels`]);
  if (precision) facts.push(["Precision", precision]);
  for (const [name, value] of Object.entries(quality)) {
    // What was measured on other data than that of the training says more.
    if (!name.startsWith("val_") || !(name.slice(4) in quality)) facts.push(figureShown(name, value));
  }
  if (licence) facts.push(["Licence", licence]);
  return facts;
}
