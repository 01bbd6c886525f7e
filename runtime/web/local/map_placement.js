// Where a picture's pixels lie in maps over the network's input.

import { resample } from "./resampling.js";
import { roundEven } from "./rounding.js";

const SLIVER = 1e-3;

export class MapPlacement {
  // Of a picture that lies at `place` in an input of `inputWidth` x `inputHeight`.
  constructor(place, { width, height }, inputWidth, inputHeight) {
    this.place = place;
    this.inputSides = [inputWidth, inputHeight];
    this.pictureSides = [width, height];
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

  // A map, bilinearly, at the pixels [x1, y1, x2, y2] of the picture; outside of the map is what is at its edge.
  toWindow(values, columns, rows, [x1, y1, x2, y2]) {
    const places = (low, high, axis, cells) =>
      Array.from({ length: high - low }, (_, index) => {
        const middle = ((low + index + 0.5) * this.place.scale[axis] + this.place.offset[axis]) * cells;
        return Math.min(Math.max(middle / this.inputSides[axis] - 0.5, 0), cells - 1);
      });
    const across = places(x1, x2, 0, columns);
    return Float32Array.from(
      places(y1, y2, 1, rows).flatMap((y) => {
        const [top, down] = [Math.floor(y), Math.min(Math.floor(y) + 1, rows - 1)];
        const between = (column) => values[top * columns + column] * (1 - (y % 1)) + values[down * columns + column] * (y % 1);
        return across.map((x) => between(Math.floor(x)) * (1 - (x % 1)) + between(Math.min(Math.floor(x) + 1, columns - 1)) * (x % 1));
      }),
    );
  }

  // The pixels [x1, y1, x2, y2] of the picture that a box in pixels of the input covers at least half of.
  boxInPicture(box) {
    return box.map((value, side) => {
      const axis = side % 2;
      const edge = roundEven((value - this.place.offset[axis]) / this.place.scale[axis]);
      return Math.min(Math.max(edge, 0), this.pictureSides[axis]);
    });
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
