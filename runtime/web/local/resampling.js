// Pillow's way of making pictures larger and smaller: filters that widen as the picture shrinks, one axis after the
// other, and of 8-bit samples in fixed-point numbers, rounded between.

const PRECISION = 22;

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

// {support, weigh}
const FILTERS = {
  box: { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weigh(x) {
      const a = -0.5;
      const t = Math.abs(x);
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
    },
  },
  lanczos: { support: 3, weigh: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

// `picture` {width, height, channels, pixels} at another size; `box` [left, top, right, bottom] is the part that is taken.
// Samples stay what they are, uint8 or float32.
export function resample({ width, height, channels, pixels }, columns, rows, name, box = [0, 0, width, height]) {
  const sized = (values, w, h) => ({ width: w, height: h, channels, pixels: values, alpha: null });
  if (name === "nearest") return sized(nearest({ width, channels, pixels }, columns, rows, box), columns, rows);
  if (name === "linear") return sized(linear({ width, height, channels, pixels }, columns, rows, box), columns, rows);
  // Pillow has the box in float32.
  const [left, top, right, bottom] = box.map(Math.fround);
  const across = columns !== width || left !== 0 || right !== columns ? weights(width, left, right, columns, name) : null;
  const down = rows !== height || top !== 0 || bottom !== rows ? weights(height, top, bottom, rows, name) : null;
  // Some releases of Pillow now and then go down first, whose samples differ by 1 or 2 of 255.
  let result = pixels;
  if (across) result = passAcross(result, height, width, channels, across);
  if (down) result = passDown(result, columns, rows, channels, down);
  return sized(result === pixels ? pixels.slice() : result, columns, rows);
}

// At another size: what becomes smaller is the mean of what it stands for, what becomes larger is interpolated.
export function resized(picture, columns, rows) {
  return resample(picture, columns, rows, rows <= picture.height && columns <= picture.width ? "box" : "bilinear");
}

// For each place of the result the first place that it is made of and the weights from there, which add up to 1.
export function weights(length, start, stop, count, name) {
  const { support, weigh } = FILTERS[name];
  const scale = (stop - start) / count;
  const wide = Math.max(scale, 1);
  const reach = support * wide;
  const each = [];
  for (let place = 0; place < count; place += 1) {
    const centre = start + (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), length);
    const own = Float64Array.from({ length: last - first }, (_, index) => weigh((index + first - centre + 0.5) / wide));
    const sum = own.reduce((total, weight) => total + weight, 0);
    if (sum !== 0) for (let index = 0; index < own.length; index += 1) own[index] /= sum;
    each.push({ first, own });
  }
  return each;
}

const fixed = (own) => own.map((weight) => Math.trunc(weight * 2 ** PRECISION + (weight < 0 ? -0.5 : 0.5)));
const inFixed = (each) => each.map(({ first, own }) => ({ first, own: fixed(own) }));
const clipped = (sum) => Math.min(Math.max(Math.floor(sum / 2 ** PRECISION), 0), 255);

function passAcross(pixels, lines, width, channels, each) {
  const bytes = pixels instanceof Uint8Array;
  const result = new pixels.constructor(lines * each.length * channels);
  const taken = bytes ? inFixed(each) : each;
  const half = bytes ? 2 ** (PRECISION - 1) : 0;
  let at = 0;
  for (let line = 0; line < lines; line += 1) {
    for (const { first, own } of taken) {
      for (let channel = 0; channel < channels; channel += 1, at += 1) {
        let sum = half;
        let from = (line * width + first) * channels + channel;
        for (let index = 0; index < own.length; index += 1, from += channels) sum += pixels[from] * own[index];
        result[at] = bytes ? clipped(sum) : sum;
      }
    }
  }
  return result;
}

function passDown(pixels, width, rows, channels, each) {
  const bytes = pixels instanceof Uint8Array;
  const line = width * channels;
  const result = new pixels.constructor(rows * line);
  const taken = bytes ? inFixed(each) : each;
  const sums = new Float64Array(line);
  for (let row = 0; row < rows; row += 1) {
    const { first, own } = taken[row];
    sums.fill(bytes ? 2 ** (PRECISION - 1) : 0);
    own.forEach((weight, index) => {
      const begin = (first + index) * line;
      for (let at = 0; at < line; at += 1) sums[at] += pixels[begin + at] * weight;
    });
    for (let at = 0; at < line; at += 1) result[row * line + at] = bytes ? clipped(sums[at]) : sums[at];
  }
  return result;
}

function nearest({ width, channels, pixels }, columns, rows, [left, top, right, bottom]) {
  const places = (count, start, stop) => {
    const step = (stop - start) / count;
    const found = [];
    for (let place = 0, at = start + step * 0.5; place < count; place += 1, at += step) found.push(Math.floor(at));
    return found;
  };
  const across = places(columns, left, right);
  const result = new pixels.constructor(rows * columns * channels);
  let at = 0;
  for (const row of places(rows, top, bottom)) {
    for (const column of across) {
      const from = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel += 1) result[at++] = pixels[from + channel];
    }
  }
  return result;
}

// Between the four nearest pixels; what comes out is cut off to a whole number.
function linear({ width, height, channels, pixels }, columns, rows, [left, top, right, bottom]) {
  const result = new pixels.constructor(rows * columns * channels);
  const [stepX, stepY] = [(right - left) / columns, (bottom - top) / rows];
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    const y = stepY * (row + 0.5) + top - 0.5;
    const above = Math.floor(y);
    const [y0, y1] = [clip(above, height), clip(above + 1, height)];
    for (let column = 0; column < columns; column += 1) {
      const x = stepX * (column + 0.5) + left - 0.5;
      const before = Math.floor(x);
      const [x0, x1] = [clip(before, width), clip(before + 1, width)];
      for (let channel = 0; channel < channels; channel += 1, at += 1) {
        const value = (u, v) => pixels[(v * width + u) * channels + channel];
        const upper = value(x0, y0) + (value(x1, y0) - value(x0, y0)) * (x - before);
        const lower = value(x0, y1) + (value(x1, y1) - value(x0, y1)) * (x - before);
        result[at] = upper + (lower - upper) * (y - above);
      }
    }
  }
  return result;
}

const clip = (place, length) => Math.min(Math.max(place, 0), length - 1);
