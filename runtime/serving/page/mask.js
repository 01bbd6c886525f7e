// A mask over a picture: strokes that can be taken back, painted in one colour on a canvas of the picture's size.

const COLOR = "#00d8dc";

export class Mask {
  #steps = [];
  #undone = [];

  constructor({ width, height }) {
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d");
  }

  get canUndo() {
    return this.#steps.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  // Whether nothing was painted since it was clear; what is painted and erased again counts as painted.
  get isEmpty() {
    const cleared = this.#steps.findLastIndex((step) => step.clear);
    return this.#steps.slice(cleared + 1).every((step) => step.erase);
  }

  // Begin a stroke; its points follow by `extend`. A point is {x, y, size}, all in pixels of the picture.
  begin(point, erase) {
    this.#add({ points: [point], erase });
  }

  extend(point) {
    const { points, erase } = this.#steps.at(-1);
    this.#paint([points.at(-1), point], erase);
    points.push(point);
  }

  // Take back the stroke that was begun last, as if it had never been.
  forget() {
    this.#steps.pop();
    this.#repaint();
  }

  clear() {
    this.#add({ clear: true });
  }

  // What is light in `bitmap` is marked; it is stretched over the picture.
  load(bitmap) {
    const { width, height } = this.canvas;
    const marked = new OffscreenCanvas(width, height);
    const context = marked.getContext("2d");
    context.drawImage(bitmap, 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height);
    const { data } = pixels;
    for (let index = 0; index < data.length; index += 4) {
      const light = 0.299 * data[index] + 0.587 * data[index + 1] + 0.114 * data[index + 2];
      data[index + 3] = light >= 128 && data[index + 3] >= 128 ? 255 : 0;
    }
    context.putImageData(pixels, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = COLOR;
    context.fillRect(0, 0, width, height);
    this.#add({ picture: marked });
  }

  undo() {
    if (this.canUndo) this.#undone.push(this.#steps.pop());
    this.#repaint();
  }

  redo() {
    if (!this.canRedo) return;
    this.#steps.push(this.#undone.pop());
    this.#repaint();
  }

  // A PNG in black and white, nothing between: white is what the strokes cover by half or more.
  async toBlob() {
    const { width, height } = this.canvas;
    const pixels = this.context.getImageData(0, 0, width, height);
    const { data } = pixels;
    for (let index = 0; index < data.length; index += 4) {
      data[index] = data[index + 1] = data[index + 2] = data[index + 3] >= 128 ? 255 : 0;
      data[index + 3] = 255;
    }
    const written = new OffscreenCanvas(width, height);
    written.getContext("2d").putImageData(pixels, 0, 0);
    return written.convertToBlob({ type: "image/png" });
  }

  #add(step) {
    this.#steps.push(step);
    this.#undone = [];
    this.#apply(step);
  }

  #repaint() {
    this.#wipe();
    // What lies before the last step that covers everything is not seen.
    const from = this.#steps.findLastIndex((step) => step.clear || step.picture);
    this.#steps.slice(Math.max(from, 0)).forEach((step) => this.#apply(step));
  }

  #apply({ clear, picture, points, erase }) {
    if (clear) this.#wipe();
    else if (picture) {
      this.#wipe();
      this.context.drawImage(picture, 0, 0);
    } else this.#paint(points, erase);
  }

  #wipe() {
    this.context.globalCompositeOperation = "source-over";
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  #paint(points, erase) {
    const { context } = this;
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.fillStyle = context.strokeStyle = COLOR;
    context.lineCap = "round";
    points.forEach((point, index) => {
      const before = points[index - 1] ?? point;
      context.beginPath();
      context.lineWidth = point.size;
      context.moveTo(before.x, before.y);
      // A line of no length has no round ends everywhere; this one is too short to be seen.
      context.lineTo(point.x + (before === point ? 0.01 : 0), point.y);
      context.stroke();
    });
  }
}
