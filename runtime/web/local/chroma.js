// Colours that a network guesses from a gray thumbnail.

import { applyFits, linearFits } from "./guided_filter.js";
import { fromLab, lightnessOf, toLab } from "./lab.js";
import { normalise } from "./preprocessing.js";
import { resample, resized } from "./resampling.js";
import { asFloat, lumaPlane } from "./samples.js";

// In pixels of the thumbnail: so far colours move to the edges of the picture, if these differ by more than this in
// brightness (a variance, of 0..1).
const EDGES = { radius: 3, epsilon: 1e-3 };

// A toned print has one colour for each lightness. In so many steps of lightness, colours further from the middle one than
// this (in a and b, root mean square over a thumbnail of such sides) are the picture's own.
const LIGHTNESS_STEPS = 16;
const TONE = 4;
const TONE_SIDE = 64;

export class ChromaNetwork {
  scale = 1;

  constructor(engine, { image }) {
    this.engine = engine;
    this.image = image;
  }

  // The picture in colours, float32 in 0..1; one that has colours of its own as it is, unless it `always` gets others.
  async restore(picture, { always }) {
    if (!always && hasColors(picture)) return { ...picture, pixels: asFloat(picture.pixels) };
    const { width, height } = picture;
    const gray = { width, height, channels: 1, pixels: lumaPlane(picture) };
    const [rows, columns] = this.image.size;
    const thumbnail = resized(gray, columns, rows);
    const guide = asFloat(thumbnail.pixels);
    const sides = { width: columns, height: rows, ...EDGES };
    const samples = asFloat(gray.pixels);
    const [a, b] = (await this.#chroma(thumbnail)).map((plane) =>
      applyFits(linearFits(resized(plane, columns, rows).pixels, guide, sides), samples, width, height),
    );
    const lightness = Float64Array.from({ length: 256 }, (_, sample) => lightnessOf(sample / 255));
    const pixels = new Float32Array(width * height * 3);
    gray.pixels.forEach((sample, place) => pixels.set(fromLab(lightness[sample], a[place], b[place]), 3 * place));
    return { width, height, channels: 3, pixels };
  }

  // a and b of a gray thumbnail, float32.
  async #chroma(thumbnail) {
    const { width, height } = thumbnail;
    const [{ data, shape }] = await this.engine.run({ data: normalise(thumbnail, this.image), shape: [1, 1, height, width] });
    const [rows, columns] = shape.slice(-2);
    const plane = (index) => data.slice(index * rows * columns, (index + 1) * rows * columns);
    return [0, 1].map((index) => ({ width: columns, height: rows, channels: 1, pixels: plane(index) }));
  }
}

// Whether a picture has colours of its own: not where it is gray, or all of one tone as sepia is.
function hasColors(picture) {
  if (picture.channels === 1) return false;
  const { pixels } = resized(picture, TONE_SIDE, TONE_SIDE);
  const steps = Array.from({ length: LIGHTNESS_STEPS + 1 }, () => []);
  for (let at = 0; at < pixels.length; at += 3) {
    const [lightness, a, b] = toLab([pixels[at] / 255, pixels[at + 1] / 255, pixels[at + 2] / 255]);
    steps[Math.floor((lightness * LIGHTNESS_STEPS) / 100)].push([a, b]);
  }
  let squares = 0;
  for (const colors of steps) {
    const middles = [0, 1].map((axis) => median(colors.map((color) => color[axis])));
    for (const [a, b] of colors) squares += (a - middles[0]) ** 2 + (b - middles[1]) ** 2;
  }
  return Math.sqrt(squares / TONE_SIDE ** 2) > TONE;
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
