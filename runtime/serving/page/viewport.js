// Where in the stage a picture lies: picture pixel (x, y) is shown at (left + x * scale, top + y * scale), in CSS pixels.

const MARGIN = 12;
const LARGEST = 32;

export class Viewport {
  constructor() {
    this.scale = 1;
    this.left = this.top = 0;
    this.picture = this.stage = { width: 1, height: 1 };
  }

  // The whole picture in the middle of the stage, small ones enlarged.
  fit(picture = this.picture, stage = this.stage) {
    this.picture = picture;
    this.stage = stage;
    this.scale = this.fitting;
    this.left = (stage.width - picture.width * this.scale) / 2;
    this.top = (stage.height - picture.height * this.scale) / 2;
  }

  // A stage of another size: the whole picture stays whole, else its middle stays in the middle.
  resize(stage) {
    if (!this.zoomed) return this.fit(this.picture, stage);
    this.left += (stage.width - this.stage.width) / 2;
    this.top += (stage.height - this.stage.height) / 2;
    this.stage = stage;
    this.#keepInside();
  }

  get fitting() {
    const { width, height } = this.picture;
    const room = (side) => Math.max(side - 2 * MARGIN, 1);
    return Math.min(room(this.stage.width) / width, room(this.stage.height) / height, LARGEST);
  }

  get zoomed() {
    return this.scale > this.fitting * 1.001;
  }

  // The picture's point at (x, y) of the stage stays where it is.
  zoom(factor, x = this.stage.width / 2, y = this.stage.height / 2) {
    const scale = Math.min(Math.max(this.scale * factor, this.fitting), LARGEST);
    const change = scale / this.scale;
    this.left = x - (x - this.left) * change;
    this.top = y - (y - this.top) * change;
    this.scale = scale;
    this.#keepInside();
  }

  move(x, y) {
    this.left += x;
    this.top += y;
    this.#keepInside();
  }

  toPicture({ x, y }) {
    return { x: (x - this.left) / this.scale, y: (y - this.top) / this.scale };
  }

  #keepInside() {
    this.left = inside(this.left, this.picture.width * this.scale, this.stage.width);
    this.top = inside(this.top, this.picture.height * this.scale, this.stage.height);
  }
}

// Where `length` begins in `room`: in its middle if it is shorter, else so that no more than a margin stays empty.
function inside(start, length, room) {
  if (length <= room - 2 * MARGIN) return (room - length) / 2;
  return Math.min(Math.max(start, room - MARGIN - length), MARGIN);
}
