// Cutting a picture into overlapping tiles, whose results come together without a seam.

// A wider transition hides no more, and costs accuracy where it nears the tiles' edges.
const WIDEST_RAMP = 32;

// What a network takes for a pixel where the model does not say, in bytes; and how many times what is alive at once the
// engine was seen to take.
const BYTES_A_PIXEL = 768;
const ENGINE_SLACK = 2.5;

const gcd = (one, other) => (other ? gcd(other, one % other) : one);

// How a picture may be cut: as the metadata's `tile`, with what follows from it.
function tileRules({ multiple = 1, overlap = null, memory, stride = 1, minimum = 1 } = {}) {
  const step = (multiple * stride) / gcd(multiple, stride);
  const padded = (side) => Math.ceil(Math.max(side, minimum) / multiple) * multiple;
  return { multiple, overlap, step, padded, perPixel: memory ?? BYTES_A_PIXEL };
}

// The spans of the rows and of the columns for a picture of that size, whose tiles take so many bytes of `memory`;
// `fixed` are the sides that the model takes, null where it takes any. A span is {start, stop, weights}, where the
// weights of all add up to 1 at every place.
export function spans(height, width, tile, memory, [fixedRows, fixedColumns]) {
  const rules = tileRules(tile);
  const side = fixedRows || fixedColumns || rules.overlap === null ? null : tileSide(height, width, memory, rules);
  return [
    cut(height, fixedRows ?? side, rules, fixedRows !== null),
    cut(width, fixedColumns ?? side, rules, fixedColumns !== null),
  ];
}

// The side of the tiles; null for all at once.
function tileSide(height, width, memory, { overlap, step, padded, perPixel }) {
  const pixels = memory / (ENGINE_SLACK * perPixel);
  if (padded(height) * padded(width) <= pixels) return null;
  const least = padded(Math.ceil((3 * overlap + 2 * step) / step) * step);
  return Math.max(Math.floor(Math.sqrt(pixels) / step) * step, least);
}

function cut(length, size, { step, overlap, padded }, exact) {
  const whole = padded(length);
  const span = (start, stop) => ({ start, stop, weights: new Float32Array(stop - start).fill(1) });
  if (size === null || (!exact && size >= length)) return [span(0, whole)];
  if (size >= whole) return [span(0, size)];
  const advance = size - 2 * (overlap ?? 0) - step;
  const last = Math.ceil((whole - size) / step) * step;
  const count = Math.ceil(last / advance) + 1;
  const starts = Array.from({ length: count }, (_, number) => Math.floor(Math.floor((last * number) / (count - 1)) / step) * step);
  const all = starts.map((start, number) => span(start, !exact && number === count - 1 ? whole : start + size));
  for (let number = 1; number < count; number += 1) join(all[number - 1], all[number]);
  return all;
}

// Where two spans meet, what is away from their ends passes smoothly from one to the other, along half a cosine.
function join(left, right) {
  const shared = left.stop - right.start;
  const apart = Math.min(right.start - left.start, right.stop - left.stop);
  const half = Math.max(Math.min(shared / 8, apart / 2, WIDEST_RAMP), 0.5);
  for (let index = 0; index < shared; index += 1) {
    const place = Math.min(Math.max((index + 0.5 - shared / 2) / (2 * half) + 0.5, 0), 1);
    const ramp = 0.5 - 0.5 * Math.cos(Math.PI * place);
    left.weights[left.weights.length - shared + index] *= 1 - ramp;
    right.weights[index] *= ramp;
  }
}

// The tile of an image at two spans, the image mirrored where they reach beyond it.
export function take({ width, height, channels, pixels }, row, column) {
  const across = mirrored(column, width);
  const tile = new pixels.constructor(across.length * (row.stop - row.start) * channels);
  let at = 0;
  for (const y of mirrored(row, height)) {
    for (const x of across) {
      for (let channel = 0; channel < channels; channel += 1, at += 1) tile[at] = pixels[(y * width + x) * channels + channel];
    }
  }
  return { width: across.length, height: row.stop - row.start, channels, pixels: tile };
}

function mirrored({ start, stop }, length) {
  return Array.from({ length: stop - start }, (_, index) => {
    if (length === 1) return 0;
    const place = (start + index) % (2 * length - 2);
    return Math.min(place, 2 * length - 2 - place);
  });
}

// Adds the `tile` that was computed for two spans to `sum`, which has `scale` times the picture's sides.
export function addTile(sum, tile, row, column, scale) {
  const { channels } = sum;
  const [top, left] = [row.start * scale, column.start * scale];
  const rows = Math.min(tile.height, sum.height - top);
  const columns = Math.min(tile.width, sum.width - left);
  for (let y = 0; y < rows; y += 1) {
    const down = row.weights[Math.floor(y / scale)];
    for (let x = 0; x < columns; x += 1) {
      const weight = down * column.weights[Math.floor(x / scale)];
      const from = (y * tile.width + x) * channels;
      const to = ((top + y) * sum.width + left + x) * channels;
      for (let channel = 0; channel < channels; channel += 1) sum.pixels[to + channel] += weight * tile.pixels[from + channel];
    }
  }
}
