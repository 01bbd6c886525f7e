// Where a picture's pixels lie in maps over the network's input.

import { resample } from "./resampling.js";
import { roundEven } from "./rounding.js";

const SLIVER = 1e-3;

export class MapPlacement {
  // Of a picture that lies at `place` in an input of `inputWidth` x `inputHeight`.
  constructor(place, { width, height }, inputWidth, inputHeight) {
    this.place = place;
    this.inputSides = [inputWidth, inputHeight];
    // What a crop leaves out nobody has seen: [start, stop] across and down.
    this.seen = [width, height].map((side, axis) => {
      const [scale, offset] = [place.scale[axis], place.offset[axis]];
      const low = roundEven(Math.max(0, -offset / scale));
      return [low, Math.max(low + 1, roundEven(Math.min(side, (this.inputSides[axis] - offset) / scale)))];
    });
  }

  // A map at the pixels of the picture that are seen, bilinearly, or the nearest where numbers name things.
  toPicture(values, columns, rows, smooth = true) {
    const [width, height] = this.seen.map(([start, stop]) => stop - start);
    const box = this.box(columns, rows);
    const map = { width: columns, height: rows, channels: 1, pixels: values };
    return resample(map, width, height, smooth ? "bilinear" : "nearest", box).pixels;
  }

  // Left, top, right and bottom of what is seen of the picture in a map of that size.
  box(columns, rows) {
    const [[left, right], [top, bottom]] = this.seen.map((span, axis) => this.#edges(span, axis, axis ? rows : columns));
    return [left, top, right, bottom];
  }

  #edges(span, axis, cells) {
    const [low, high] = span.map((edge) => ((edge * this.place.scale[axis] + this.place.offset[axis]) * cells) / this.inputSides[axis]);
    const start = Math.min(Math.max(low, 0), cells - SLIVER);
    return [start, Math.min(Math.max(high, start + SLIVER), cells)];
  }
}
