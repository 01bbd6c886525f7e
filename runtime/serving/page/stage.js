// The place where the picture lies: it is zoomed and moved, painted on, compared with what it was, and drawn over.

import { drawAnswer, maskLayer } from "./answer_drawing.js";
import { drawBefore, drawBrush, drawMask, drawPicture } from "./stage_drawing.js";
import { Viewport } from "./viewport.js";

const NEAR_HANDLE = 28;
const MIN_PRESSURE = 0.35;
const MIN_BRUSH = 2;
const PEN_ERASER = 32;

export class Stage extends EventTarget {
  #viewport = new Viewport();
  #pointers = new Map();
  #pointer = null;
  #content = { mode: "nothing" };
  #waiting = false;
  #stroke = null;
  #held = null;

  constructor(canvas, slider) {
    super();
    this.canvas = canvas;
    this.slider = slider;
    this.context = canvas.getContext("2d");
    this.tool = "brush";
    this.brush = 40;
    this.largestBrush = 400;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    canvas.addEventListener("pointermove", (event) => this.#pointerMove(event));
    canvas.addEventListener("pointerup", (event) => this.#pointerUp(event));
    canvas.addEventListener("pointercancel", (event) => this.#pointerCancel(event));
    canvas.addEventListener("pointerleave", () => this.#pointerLeave());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#keydown(event));
    canvas.addEventListener("keyup", (event) => event.key === " " && this.#hold(null));
    canvas.addEventListener("blur", () => this.#hold(null));
    canvas.addEventListener("contextmenu", (event) => this.#content.mode === "mask" && event.preventDefault());
    for (const kind of ["input", "focus", "blur"]) slider.addEventListener(kind, () => this.draw());
  }

  // What is shown, one of: nothing; a picture (a bitmap); a picture with a mask that is painted; before and after; a
  // picture with an answer drawn in. The view stays where it is if the picture is as large as that before.

  clear() {
    this.#show({ mode: "nothing" }, null, "No picture yet");
  }

  showPicture(picture, words) {
    this.#show({ mode: "picture", picture }, picture, words);
  }

  showMask(picture, mask) {
    const words =
      "The picture, to paint a mask on: arrow keys move the brush, Enter sets it down and lifts it, [ and ] change its size";
    this.#show({ mode: "mask", picture, mask }, picture, words);
  }

  showComparison(before, after, words) {
    this.#show({ mode: "comparison", before, after }, after, words);
  }

  showAnswer(picture, answer, words) {
    const hidden = new Set();
    this.#show({ mode: "answer", picture, answer, hidden, layer: maskLayer(answer, hidden) }, picture, words);
  }

  // Show or hide the things of a label in the answer.
  toggleLabel(label) {
    const { answer, hidden } = this.#content;
    if (!hidden.delete(label)) hidden.add(label);
    this.#content.layer = maskLayer(answer, hidden);
    this.draw();
    return !hidden.has(label);
  }

  get zoomed() {
    return this.#viewport.zoomed;
  }

  get scale() {
    return this.#viewport.scale;
  }

  zoom(factor, x, y) {
    this.#viewport.zoom(factor, x, y);
    this.#viewChanged();
  }

  fit() {
    this.#viewport.fit();
    this.#viewChanged();
  }

  resizeBrush(size) {
    this.brush = Math.round(Math.min(Math.max(size, MIN_BRUSH), this.largestBrush));
    this.#tell("brush");
    this.draw();
  }

  draw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#paint();
    });
  }

  #show(content, picture, words) {
    const { width, height } = this.#viewport.picture;
    const { mode } = this.#content;
    this.#content = content;
    this.#endStroke();
    this.canvas.hidden = content.mode === "nothing";
    this.slider.hidden = content.mode !== "comparison";
    this.canvas.setAttribute("aria-label", words);
    this.canvas.setAttribute("role", content.mode === "mask" ? "application" : "img");
    if (picture && (mode === "nothing" || picture.width !== width || picture.height !== height)) {
      this.#viewport.fit({ width: picture.width, height: picture.height }, this.#size());
    }
    this.#viewChanged();
  }

  #size() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  #resize() {
    const { width, height } = this.#size();
    const density = window.devicePixelRatio;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.#viewport.resize({ width, height });
    this.#viewChanged();
  }

  #viewChanged() {
    const { mode } = this.#content;
    const moves = this.#held === "move" || (mode === "mask" && this.tool === "move");
    this.canvas.classList.toggle("paints", mode === "mask" && !moves);
    this.canvas.classList.toggle("slides", mode === "comparison" && !this.zoomed);
    this.canvas.classList.toggle("moves", moves || (mode !== "mask" && this.zoomed));
    this.#tell("view");
    this.draw();
  }

  chooseTool(tool) {
    this.tool = tool;
    this.#viewChanged();
  }

  #tell(kind) {
    this.dispatchEvent(new Event(kind));
  }

  // Drawing.

  #paint() {
    const { context, canvas } = this;
    const density = window.devicePixelRatio;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const { mode, picture, before, after, mask, answer } = this.#content;
    if (mode === "nothing") return;
    drawPicture(context, this.#viewport, after ?? picture);
    if (mode === "comparison") {
      drawBefore(context, this.#viewport, before, this.#divider(), document.activeElement === this.slider);
    }
    if (mode === "mask") drawMask(context, this.#viewport, mask);
    if (mode === "mask" && this.#pointer && this.#effectiveTool() !== "move") {
      drawBrush(context, this.#pointer, this.brush * this.scale, this.#effectiveTool() === "erase");
    }
    if (mode === "answer") drawAnswer(context, this.#viewport, answer, this.#content);
  }

  // Where the line between before and after stands: at a share of what is seen of the picture.
  #divider() {
    const [from, to] = this.#seen();
    return from + (to - from) * (Number(this.slider.value) / 100);
  }

  #seen() {
    const { left, scale, picture, stage } = this.#viewport;
    return [Math.max(left, 0), Math.min(left + picture.width * scale, stage.width)];
  }

  // Pointers: one paints, slides or moves; two zoom and move.

  #pointerDown(event) {
    const place = this.#place(event);
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size === 2) return this.#forgetStroke();
    if (this.#pointers.size > 2) return;
    const moves = event.button === 1 || this.#effectiveTool() === "move";
    if (this.#content.mode === "mask" && !moves) {
      const erases = this.tool === "erase" || event.button === 2 || Boolean(event.buttons & PEN_ERASER);
      this.#beginStroke(place, event, erases);
    } else if (this.#content.mode === "comparison" && (!this.zoomed || this.#nearHandle(place))) {
      this.#stroke = { slides: true };
      this.#slide(place);
    } else this.#stroke = { moves: true };
  }

  #pointerMove(event) {
    const place = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (this.#pointers.size === 2 && before) this.#pinch(event.pointerId, place);
    else if (before && this.#stroke?.slides) this.#slide(place);
    else if (before && this.#stroke?.moves) {
      this.#viewport.move(place.x - before.x, place.y - before.y);
      this.#viewChanged();
    } else if (before && this.#stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.#extendStroke(this.#place(each), each);
    }
    if (before) this.#pointers.set(event.pointerId, place);
    this.#pointer = event.pointerType === "touch" && !before ? null : place;
    this.draw();
  }

  #pointerUp(event) {
    this.#pointers.delete(event.pointerId);
    if (!this.#pointers.size) this.#endStroke();
    if (event.pointerType === "touch") this.#pointerLeave();
  }

  #pointerCancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#forgetStroke();
  }

  #pointerLeave() {
    this.#pointer = null;
    this.draw();
  }

  #place(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #effectiveTool() {
    return this.#held ?? this.tool;
  }

  #hold(tool) {
    this.#held = tool;
    this.#viewChanged();
  }

  #nearHandle({ x }) {
    return Math.abs(x - this.#divider()) < NEAR_HANDLE;
  }

  #slide({ x }) {
    const [from, to] = this.#seen();
    this.slider.value = (100 * (x - from)) / (to - from);
    this.draw();
  }

  #pinch(id, place) {
    const [other] = [...this.#pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = this.#pointers.get(id);
    const distance = (one) => Math.max(Math.hypot(one.x - other.x, one.y - other.y), 1);
    const middle = { x: (place.x + other.x) / 2, y: (place.y + other.y) / 2 };
    this.#viewport.zoom(distance(place) / distance(before), middle.x, middle.y);
    this.#viewport.move((place.x - before.x) / 2, (place.y - before.y) / 2);
    this.#viewChanged();
  }

  #wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      const { x, y } = this.#place(event);
      this.zoom(Math.exp(-event.deltaY / 200), x, y);
    } else if (this.zoomed) {
      this.#viewport.move(-event.deltaX, -event.deltaY);
      this.#viewChanged();
    } else return;
    event.preventDefault();
  }

  // Strokes. A pen that is pressed lightly paints thinly.

  #point(place, { pointerType, pressure } = {}) {
    const share = pointerType === "pen" ? Math.max(pressure, MIN_PRESSURE) : 1;
    return { ...this.#viewport.toPicture(place), size: this.brush * share };
  }

  #beginStroke(place, event, erases) {
    this.#stroke = { paints: true };
    this.#content.mask.begin(this.#point(place, event), erases);
    this.draw();
  }

  #extendStroke(place, event) {
    this.#content.mask.extend(this.#point(place, event));
    this.draw();
  }

  #forgetStroke() {
    if (this.#stroke?.paints) this.#content.mask.forget();
    this.#stroke = null;
    this.draw();
  }

  #endStroke() {
    const painted = this.#stroke?.paints;
    this.#stroke = null;
    if (painted) this.#tell("paint");
  }

  // Keys, as the words of `showMask` say.

  #keydown(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    const paints = this.#content.mode === "mask";
    if (ctrlKey || metaKey || altKey) return;
    if (key === "+" || key === "=") this.zoom(1.25);
    else if (key === "-") this.zoom(0.8);
    else if (key === "0") this.fit();
    else if (arrow && this.#content.mode === "comparison" && !this.zoomed) this.#slideBy(arrow[0]);
    else if (arrow && paints) this.#moveBrush(arrow, event.shiftKey ? 40 : 8);
    else if (arrow && this.zoomed) {
      this.#viewport.move(-40 * arrow[0], -40 * arrow[1]);
      this.#viewChanged();
    } else if (key === " ") this.#hold("move");
    else if (key === "Enter" && paints) this.#toggleBrush();
    else if (key === "Escape" && paints) this.#endStroke();
    else return;
    event.preventDefault();
  }

  #slideBy(direction) {
    this.slider.value = Number(this.slider.value) + 2 * direction;
    this.draw();
  }

  #moveBrush([x, y], distance) {
    const { width, height } = this.#viewport.stage;
    const from = this.#pointer ?? { x: width / 2, y: height / 2 };
    const to = {
      x: Math.min(Math.max(from.x + x * distance, 0), width),
      y: Math.min(Math.max(from.y + y * distance, 0), height),
    };
    this.#pointer = to;
    if (this.#stroke?.paints) this.#extendStroke(to);
    this.draw();
  }

  #toggleBrush() {
    if (this.#stroke) return this.#endStroke();
    this.#pointer ??= { x: this.#viewport.stage.width / 2, y: this.#viewport.stage.height / 2 };
    this.#beginStroke(this.#pointer, {}, this.tool === "erase");
  }
}
