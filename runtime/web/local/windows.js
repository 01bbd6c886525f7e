// Overlapping windows over a picture, for what is too small in the whole of it.

import { Refusal } from "../page/refusal.js";
import { roundEven } from "./rounding.js";

// Of a window's side: what neighbours share, and how near to a cut a box ends that is that of a part.
const OVERLAP = 0.25;
const MARGIN = 0.02;
// They are of use from a picture on that has so many times the sides of one.
const ENOUGH = 1.25;
const MOST = 4096;
const [SMALLEST, LARGEST] = [32, 1 << 16];

// Where to look in a picture, as {left, top, right, bottom}: in the whole, and in windows where `tile` wants them: null,
// "auto", or the side of one in pixels, as text. `size` is [rows, columns] of the network's input, null for any.
export function windows({ width, height }, tile, size) {
  const whole = { left: 0, top: 0, right: width, bottom: height };
  if (tile === null || (tile === "auto" && !size)) return [whole];
  const [rows, columns] = tile === "auto" ? size : sidesOf(parsed(tile), size);
  if (height <= ENOUGH * rows && width <= ENOUGH * columns) return [whole];
  const [tops, lefts] = [starts(height, rows), starts(width, columns)];
  if (tops.length * lefts.length > MOST) {
    throw new Refusal(`there would be ${tops.length * lefts.length} windows of ${tile} pixels, more than ${MOST}`, "Take larger ones.");
  }
  const end = (start, side, length) => Math.min(start + side, length);
  const parts = tops.flatMap((top) =>
    lefts.map((left) => ({ left, top, right: end(left, columns, width), bottom: end(top, rows, height) })),
  );
  return [whole, ...parts];
}

// What of a picture is in a window.
export function cutWindow(picture, { left, top, right, bottom }) {
  const { width, height, channels, pixels, alpha } = picture;
  if (right - left === width && bottom - top === height) return picture;
  const part = (values, count) => {
    const rows = Array.from({ length: bottom - top }, (_, row) => ((top + row) * width + left) * count);
    const result = new Uint8Array(rows.length * (right - left) * count);
    rows.forEach((start, row) => result.set(values.subarray(start, start + (right - left) * count), row * (right - left) * count));
    return result;
  };
  return { width: right - left, height: bottom - top, channels, pixels: part(pixels, channels), alpha: alpha && part(alpha, 1) };
}

// Whether a box, in the window's pixels, ends where the window was cut out of the picture: it may be that of a part.
export function isCut({ left, top, right, bottom }, [x1, y1, x2, y2], { width, height }) {
  const [across, down] = [right - left, bottom - top];
  const [x, y] = [MARGIN * across, MARGIN * down];
  return (left > 0 && x1 < x) || (top > 0 && y1 < y) || (right < width && x2 > across - x) || (bottom < height && y2 > down - y);
}

function parsed(text) {
  if (/^\d+$/.test(text) && text >= SMALLEST && text <= LARGEST) return Number(text);
  throw new Refusal(`windows are auto, or from ${SMALLEST} to ${LARGEST} pixels, not ${text}`);
}

// Of the input's shape, so that nothing is squeezed or padded.
const sidesOf = (tile, size) =>
  size ? size.map((side) => Math.max(1, roundEven((tile * side) / Math.max(...size)))) : [tile, tile];

// Evenly spread, with the overlap at least; the last window ends with the picture.
function starts(length, side) {
  if (length <= side) return [0];
  const count = Math.ceil((length - side) / (side * (1 - OVERLAP))) + 1;
  return Array.from({ length: count }, (_, number) => roundEven((number * (length - side)) / (count - 1)));
}
