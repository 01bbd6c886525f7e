// Samples in other colour spaces, as floats, and back; ITU-R BT.601, full range, as in JPEG.

import { roundEven } from "./rounding.js";

// uint8 luma of uint8 RGB, as Pillow rounds it.
export function luma(rgb) {
  const result = new Uint8Array(rgb.length / 3);
  for (let place = 0, at = 0; place < result.length; place += 1, at += 3) {
    result[place] = (rgb[at] * 19595 + rgb[at + 1] * 38470 + rgb[at + 2] * 7471 + 0x8000) >> 16;
  }
  return result;
}

const SCALE = 6;
const table = (factor) => Int16Array.from({ length: 256 }, (_, sample) => Math.trunc(factor * sample * 2 ** SCALE + 0.5));
const TO_YCBCR = [
  [table(0.299), table(0.587), table(0.114)],
  [table(-0.16874), table(-0.33126), table(0.5)],
  [table(0.5), table(-0.41869), table(-0.08131)],
];

// uint8 YCbCr of uint8 RGB, as Pillow rounds it.
export function toYcbcr(rgb) {
  const result = new Uint8Array(rgb.length);
  for (let at = 0; at < rgb.length; at += 3) {
    TO_YCBCR.forEach(([red, green, blue], channel) => {
      const sum = (red[rgb[at]] + green[rgb[at + 1]] + blue[rgb[at + 2]]) >> SCALE;
      result[at + channel] = channel ? sum + 128 : sum;
    });
  }
  return result;
}

// uint8 luma of a gray or RGB picture, as JPEG has it.
export const lumaPlane = ({ channels, pixels }) => (channels === 1 ? pixels : toYcbcr(pixels).filter((_, at) => at % 3 === 0));

// float32 in 0..1; floats are handed back as they are.
export function asFloat(samples) {
  return samples instanceof Float32Array ? samples : Float32Array.from(samples, (sample) => sample / 255);
}

// Clips floats of 0..1 and rounds them into uint8.
export function stored(floats) {
  const result = new Uint8Array(floats.length);
  for (let at = 0; at < floats.length; at += 1) {
    result[at] = Math.min(Math.max(roundEven(Math.fround(floats[at] * 255)), 0), 255);
  }
  return result;
}

// RGB of float32 YCbCr (…, 3) in 0..1, in place.
export function toRgb(ycbcr) {
  for (let at = 0; at < ycbcr.length; at += 3) {
    const [y, blue, red] = [ycbcr[at], ycbcr[at + 1] - 0.5, ycbcr[at + 2] - 0.5];
    ycbcr[at] = y + 1.402 * red;
    ycbcr[at + 1] = y - 0.344136 * blue - 0.714136 * red;
    ycbcr[at + 2] = y + 1.772 * blue;
  }
  return ycbcr;
}
