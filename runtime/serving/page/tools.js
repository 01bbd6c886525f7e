// The bar above the stage: what is shown, the brush, undo, and how near the picture is.

import { byId } from "./elements.js";
import { decode } from "./pictures.js";

const TOOLS = ["brush", "erase", "move"];
const STEP = 1.25;
const BRUSH_SHARE = 1 / 12;

// Connects it with `stage`. Events: "show-mask" and "show-result" are asked for; "mask" when another mask is there.
export function connectTools(stage) {
  return new Tools(stage);
}

class Tools extends EventTarget {
  #mask = null;

  constructor(stage) {
    super();
    this.stage = stage;
    for (const tool of TOOLS) byId(`tool-${tool}`).addEventListener("click", () => this.#choose(tool));
    const size = byId("brush-size");
    size.addEventListener("input", () => stage.resizeBrush(Number(size.value)));
    stage.addEventListener("brush", () => {
      size.value = stage.brush;
      byId("brush-size-shown").textContent = stage.brush;
    });
    byId("undo").addEventListener("click", () => this.#change((mask) => mask.undo()));
    byId("redo").addEventListener("click", () => this.#change((mask) => mask.redo()));
    byId("clear-mask").addEventListener("click", () => this.#change((mask) => mask.clear()));
    byId("mask-file").addEventListener("click", () => byId("mask-input").click());
    byId("mask-input").addEventListener("change", (event) => this.#load(event.target));
    byId("zoom-in").addEventListener("click", () => stage.zoom(STEP));
    byId("zoom-out").addEventListener("click", () => stage.zoom(1 / STEP));
    byId("zoom-fit").addEventListener("click", () => stage.fit());
    for (const what of ["show-mask", "show-result"]) {
      byId(what).addEventListener("click", () => this.dispatchEvent(new Event(what)));
    }
    stage.addEventListener("paint", () => this.#changed());
    stage.addEventListener("view", () => {
      byId("zoom-shown").textContent = `${Math.round(100 * stage.scale)} %`;
      byId("zoom-out").disabled = byId("zoom-fit").disabled = !stage.zoomed;
    });
    byId("workspace").addEventListener("keydown", (event) => this.#keydown(event));
  }

  // `painting` is the mask that is painted, if one is; `picture` and `result` whether there is one, `replaceable`
  // whether another picture can be chosen for it.
  show({ painting, picture, result, replaceable = true }) {
    this.#mask = painting;
    byId("toolbar").hidden = !picture;
    byId("zoom-tools").hidden = byId("canvas").hidden;
    byId("change-picture").hidden = !replaceable;
    byId("paint-tools").hidden = !painting;
    byId("view-tools").hidden = !result;
    byId("show-mask").setAttribute("aria-pressed", Boolean(painting));
    byId("show-result").setAttribute("aria-pressed", !painting);
    if (painting) this.#changed();
  }

  // A brush that suits the picture.
  sizeBrush({ width, height }) {
    const side = Math.min(width, height);
    byId("brush-size").max = Math.max(Math.round(side / 2), 8);
    this.stage.largestBrush = Number(byId("brush-size").max);
    this.stage.resizeBrush(Math.max(side * BRUSH_SHARE, 2));
  }

  #choose(tool) {
    for (const each of TOOLS) byId(`tool-${each}`).setAttribute("aria-pressed", each === tool);
    this.stage.chooseTool(tool);
  }

  #change(act) {
    if (!this.#mask) return;
    act(this.#mask);
    this.stage.draw();
    this.#changed();
  }

  #changed() {
    byId("undo").disabled = !this.#mask?.canUndo;
    byId("redo").disabled = !this.#mask?.canRedo;
    byId("clear-mask").disabled = !this.#mask || this.#mask.isEmpty;
    this.dispatchEvent(new Event("mask"));
  }

  async #load(input) {
    const [file] = input.files;
    input.value = "";
    const bitmap = file && (await decode(file));
    if (bitmap) this.#change((mask) => mask.load(bitmap));
  }

  #keydown(event) {
    const { key } = event;
    if (event.target.matches("input:not([type=range]), select") || !this.#mask) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && key.toLowerCase() === "z") this.#change((mask) => (event.shiftKey ? mask.redo() : mask.undo()));
    else if (command && key.toLowerCase() === "y") this.#change((mask) => mask.redo());
    else if (command) return;
    else if (key === "[") this.stage.resizeBrush(Math.min(this.stage.brush / STEP, this.stage.brush - 1));
    else if (key === "]") this.stage.resizeBrush(Math.max(this.stage.brush * STEP, this.stage.brush + 1));
    else if (key === "b") this.#choose("brush");
    else if (key === "e") this.#choose("erase");
    else return;
    event.preventDefault();
  }
}
