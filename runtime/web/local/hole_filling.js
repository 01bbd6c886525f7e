// Filling holes smoothly from what surrounds them, by pull and push through a pyramid (Gortler et al. 1996, 6.2).

import { roundEven } from "./rounding.js";

// From this share of opacity on a colour stays as it is.
const FAINT = 1 / 16;

// An image is {width, height, channels, pixels}, of float32 here; `known` float32 (height, width), 1 where it is known.

// Half the sides, rounded up: each pixel the mean of the known ones among four, and how much of them is known, up to 1.
export function halveKnown({ width, height, channels, pixels }, known) {
  const [columns, rows] = [(width + 1) >> 1, (height + 1) >> 1];
  const half = new Float32Array(columns * rows * channels);
  const shares = new Float32Array(columns * rows);
  const sums = new Float64Array(channels);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      sums.fill(0);
      let total = 0;
      for (let down = 2 * y; down < Math.min(2 * y + 2, height); down += 1) {
        for (let right = 2 * x; right < Math.min(2 * x + 2, width); right += 1) {
          const place = down * width + right;
          const share = known[place];
          if (!share) continue;
          total += share;
          for (let channel = 0; channel < channels; channel += 1) sums[channel] += share * pixels[place * channels + channel];
        }
      }
      const place = y * columns + x;
      shares[place] = Math.min(total, 1);
      for (let channel = 0; channel < channels; channel += 1) half[place * channels + channel] = sums[channel] / (total || 1);
    }
  }
  return { image: { width: columns, height: rows, channels, pixels: half }, known: shares };
}

// An image of half the sides, interpolated bilinearly to `width` and `height`; beyond the border it goes on.
export function doubled(coarse, width, height) {
  const { channels } = coarse;
  const wide = new Float32Array(coarse.height * width * channels);
  const beside = (place, length) => Math.min(Math.max(place % 2 ? (place >> 1) + 1 : (place >> 1) - 1, 0), length - 1);
  for (let y = 0, at = 0; y < coarse.height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const near = (y * coarse.width + (x >> 1)) * channels;
      const far = (y * coarse.width + beside(x, coarse.width)) * channels;
      for (let channel = 0; channel < channels; channel += 1, at += 1) {
        wide[at] = 0.75 * coarse.pixels[near + channel] + 0.25 * coarse.pixels[far + channel];
      }
    }
  }
  const line = width * channels;
  const pixels = new Float32Array(height * line);
  for (let y = 0; y < height; y += 1) {
    const [near, far] = [(y >> 1) * line, beside(y, coarse.height) * line];
    for (let at = 0; at < line; at += 1) pixels[y * line + at] = 0.75 * wide[near + at] + 0.25 * wide[far + at];
  }
  return { width, height, channels, pixels };
}

// Replaces what is not known, in place; gray where nothing is.
export function fillSmoothly(image, known) {
  const { width, height, channels, pixels } = image;
  if (known.every((share) => share > 0)) return;
  if (width === 1 && height === 1) {
    pixels.fill(0.5);
    return;
  }
  const coarse = halveKnown(image, known);
  fillSmoothly(coarse.image, coarse.known);
  const smooth = doubled(coarse.image, width, height).pixels;
  for (let at = 0; at < pixels.length; at += 1) if (!known[Math.floor(at / channels)]) pixels[at] = smooth[at];
}

// How often to halve the picture until its largest hole is small enough for the network to see across.
export function coarseLevels(holes, width, height, depth = 4) {
  let halvings = 0;
  let level = { width, height, holes };
  while (level.holes.includes(1) && Math.max(level.width, level.height) > 1) {
    level = halvedHoles(level);
    halvings += 1;
  }
  return Math.max(0, halvings - depth - 1);
}

function halvedHoles({ width, height, holes }) {
  const [columns, rows] = [(width + 1) >> 1, (height + 1) >> 1];
  const half = new Uint8Array(columns * rows).fill(1);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) if (!holes[y * width + x]) half[(y >> 1) * columns + (x >> 1)] = 0;
  }
  return { width: columns, height: rows, holes: half };
}

// A picture (uint8) with the colours that are seen continued under what is not, by its `alpha`.
export function continueColours(picture, alpha) {
  const lowest = alpha.reduce((least, share) => Math.min(least, share), 255);
  if (lowest >= 255 * FAINT || !alpha.some((share) => share)) return picture;
  const image = { ...picture, pixels: Float32Array.from(picture.pixels) };
  continueThrough(image, Float32Array.from(alpha, (share) => share / 255), FAINT);
  return { ...picture, pixels: Uint8Array.from(image.pixels, roundEven) };
}

function continueThrough(image, opacity, plain) {
  const { width, height, channels, pixels } = image;
  if (width === 1 && height === 1) return;
  const coarse = halveKnown(image, opacity);
  if (coarse.known.some((share) => share < 1)) continueThrough(coarse.image, coarse.known, 1);
  const around = doubled(coarse.image, width, height).pixels;
  for (let at = 0; at < pixels.length; at += 1) {
    const own = opacity[Math.floor(at / channels)] / plain;
    if (own < 1) pixels[at] = around[at] + own * (pixels[at] - around[at]);
  }
}
