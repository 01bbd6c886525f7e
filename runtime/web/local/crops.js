// One thing cut out of a picture for a network that looks at one thing at a time, and the way back.

// A rectangle {x, y, width, height} round the middle of a box, with the proportions `aspect`, grown by `margin`.
export function cropOfBox([x1, y1, x2, y2], aspect, margin) {
  const width = Math.max(x2 - x1, (y2 - y1) * aspect) * (1 + margin);
  return { x: (x1 + x2) / 2, y: (y1 + y2) / 2, width, height: width / aspect };
}

// Where a point, in shares of the crop's sides, is in the picture's pixels.
export const toPicture = (crop, x, y) => [crop.x + (x - 0.5) * crop.width, crop.y + (y - 0.5) * crop.height];

// The crop as a picture of `columns` x `rows`; outside of `picture` it is `fill`. A large one is shrunk by a whole number
// first, so that no detail is passed over.
export function cutOut(picture, crop, columns, rows, fill) {
  const factor = Math.max(1, Math.floor(Math.min(crop.width / columns, crop.height / rows)));
  const seen = seenPart(picture, crop, factor);
  const { channels } = picture;
  const pixels = new Uint8Array(columns * rows * channels).fill(fill);
  if (!seen) return { width: columns, height: rows, channels, pixels, alpha: null };
  const image = factor > 1 ? reduced(picture, factor, seen) : picture;
  const [left, top] = factor > 1 ? seen : [0, 0];
  const [startX, startY] = toPicture(crop, 0, 0);
  for (let row = 0, at = 0; row < rows; row += 1) {
    const y = ((row + 0.5) * crop.height) / rows / factor + (startY - top) / factor;
    for (let column = 0; column < columns; column += 1, at += channels) {
      const x = ((column + 0.5) * crop.width) / columns / factor + (startX - left) / factor;
      if (x >= 0 && x < image.width && y >= 0 && y < image.height) interpolate(image, x - 0.5, y - 0.5, pixels, at);
    }
  }
  return { width: columns, height: rows, channels, pixels, alpha: null };
}

// The part of the picture under the crop, some whole steps wide: [left, top, right, bottom], or null.
function seenPart(picture, crop, step) {
  const [x1, y1] = toPicture(crop, 0, 0);
  const [x2, y2] = toPicture(crop, 1, 1);
  const low = (start) => Math.max(0, Math.floor(start - 2 * step));
  const box = [low(x1), low(y1), Math.min(picture.width, Math.ceil(x2 + 2 * step)), Math.min(picture.height, Math.ceil(y2 + 2 * step))];
  return box[0] < box[2] && box[1] < box[3] ? box : null;
}

// The means of blocks of `factor` x `factor`; those at the right and lower edge may be smaller.
function reduced({ width, channels, pixels }, factor, [left, top, right, bottom]) {
  const [columns, rows] = [Math.ceil((right - left) / factor), Math.ceil((bottom - top) / factor)];
  const result = new Uint8Array(columns * rows * channels);
  for (let row = 0, at = 0; row < rows; row += 1) {
    const [y1, y2] = [top + row * factor, Math.min(top + (row + 1) * factor, bottom)];
    for (let column = 0; column < columns; column += 1) {
      const [x1, x2] = [left + column * factor, Math.min(left + (column + 1) * factor, right)];
      for (let channel = 0; channel < channels; channel += 1, at += 1) {
        let sum = 0;
        for (let y = y1; y < y2; y += 1) for (let x = x1; x < x2; x += 1) sum += pixels[(y * width + x) * channels + channel];
        result[at] = Math.floor(sum / ((y2 - y1) * (x2 - x1)) + 0.5);
      }
    }
  }
  return { width: columns, height: rows, channels, pixels: result };
}

// Between the four nearest pixels; what comes out is cut off to a whole number.
function interpolate({ width, height, channels, pixels }, x, y, target, at) {
  const [before, above] = [Math.floor(x), Math.floor(y)];
  const clip = (place, length) => Math.min(Math.max(place, 0), length - 1);
  const [x0, x1, y0, y1] = [clip(before, width), clip(before + 1, width), clip(above, height), clip(above + 1, height)];
  for (let channel = 0; channel < channels; channel += 1) {
    const value = (u, v) => pixels[(v * width + u) * channels + channel];
    const upper = value(x0, y0) + (value(x1, y0) - value(x0, y0)) * (x - before);
    const lower = value(x0, y1) + (value(x1, y1) - value(x0, y1)) * (x - before);
    target[at + channel] = upper + (lower - upper) * (y - above);
  }
}
