// From a picture to the tensor that the network was trained on, as the metadata say.

import { onWhite } from "./pictures.js";
import { resample } from "./resampling.js";
import { roundEven } from "./rounding.js";
import { luma, toYcbcr } from "./samples.js";

export const channelsOf = (color) => (color === "gray" || color === "luma" ? 1 : 3);

// The normalisation of samples of 0..255 as one multiplication and one addition for each channel.
export function scaleAndOffset({ color, value_range: [low, high], mean = [], std = [] }) {
  const numbers = Array.from({ length: channelsOf(color) }, (_, channel) => {
    const deviation = std[channel] ?? 1;
    return [(high - low) / 255 / deviation, (low - (mean[channel] ?? 0)) / deviation];
  });
  return { scale: Float32Array.from(numbers, ([scale]) => scale), offset: Float32Array.from(numbers, ([, offset]) => offset) };
}

// float32 (channels, height, width) in the network's range of a picture in the network's colours.
export function normalise({ width, height, channels, pixels }, spec) {
  const { scale, offset } = scaleAndOffset(spec);
  const count = width * height;
  const tensor = new Float32Array(channels * count);
  for (let channel = 0, at = 0; channel < channels; channel += 1) {
    for (let place = 0; place < count; place += 1, at += 1) {
      tensor[at] = Math.fround(pixels[place * channels + channel] * scale[channel]) + offset[channel];
    }
  }
  return tensor;
}

// A picture, resized and normalised: {data, shape}, float32 (1, channels, height, width).
export function preprocess(picture, spec) {
  const sized = inColors(resize(picture, spec), spec.color);
  return { data: normalise(sized, spec), shape: [1, sized.channels, sized.height, sized.width] };
}

// The samples of a picture in the order of `color`: "rgb", "bgr", "gray", "ycbcr", "luma".
export function inColors(picture, color) {
  const { width, height, channels, pixels } = picture;
  const made = (own, count) => ({ width, height, channels: count, pixels: own, alpha: null });
  if (channelsOf(color) === 1) return channels === 1 ? picture : made(luma(pixels), 1);
  if (channels === 1) {
    const repeated = new Uint8Array(pixels.length * 3);
    pixels.forEach((sample, place) => repeated.fill(sample, place * 3, place * 3 + 3));
    if (color === "ycbcr") for (let at = 0; at < repeated.length; at += 3) repeated.fill(128, at + 1, at + 3);
    return made(repeated, 3);
  }
  if (color === "ycbcr") return made(toYcbcr(pixels), 3);
  if (color !== "bgr") return picture;
  const turned = pixels.slice();
  for (let at = 0; at < turned.length; at += 3) [turned[at], turned[at + 2]] = [turned[at + 2], turned[at]];
  return made(turned, 3);
}

// Where a picture lies in the network's input: its pixel edge x is at scale[0] * x + offset[0] there.
export function placement(width, height, spec) {
  if (!spec.size) return { scale: [1, 1], offset: [0, 0] };
  const [rows, columns] = spec.size;
  if (spec.resize === "stretch") return { scale: [columns / width, rows / height], offset: [0, 0] };
  if (spec.resize === "crop") {
    const { scale, left, top } = cropped(width, height, spec);
    return { scale: [scale, scale], offset: [-left * scale, -top * scale] };
  }
  const [wide, high] = paddedSize(width, height, spec);
  const offset = spec.pad_corner ? [0, 0] : [Math.floor((columns - wide) / 2), Math.floor((rows - high) / 2)];
  return { scale: [wide / width, high / height], offset };
}

// The picture at `spec.size`, in the way of `spec.resize`; one of that size, all of it taken, stays.
export function resize(given, spec) {
  const picture = onWhite(given);
  const { width, height } = picture;
  const whole = spec.resize !== "crop" || spec.crop_share === 1;
  if (!spec.size || (width === spec.size[1] && height === spec.size[0] && whole)) return picture;
  const [rows, columns] = spec.size;
  if (spec.resize === "stretch") return resample(picture, columns, rows, spec.resample);
  if (spec.resize === "crop") {
    const { scale, left, top } = cropped(width, height, spec);
    // Rounding must not put it a hair outside the picture.
    const box = [left, top, Math.min(left + columns / scale, width), Math.min(top + rows / scale, height)];
    return resample(picture, columns, rows, spec.resample, box);
  }
  const [wide, high] = paddedSize(width, height, spec);
  return padded(resample(picture, wide, high, spec.resample), spec, placement(width, height, spec).offset);
}

function padded({ width, height, channels, pixels }, { size: [rows, columns], pad_value: value }, [left, top]) {
  const canvas = new Uint8Array(rows * columns * channels).fill(value);
  for (let row = 0; row < height; row += 1) {
    const line = pixels.subarray(row * width * channels, (row + 1) * width * channels);
    canvas.set(line, ((row + top) * columns + left) * channels);
  }
  return { width: columns, height: rows, channels, pixels: canvas, alpha: null };
}

function cropped(width, height, { size: [rows, columns], crop_share: share }) {
  const scale = Math.max(columns / width, rows / height) / share;
  const start = (length, side) => Math.max(0, (length - side / scale) / 2);
  return { scale, left: start(width, columns), top: start(height, rows) };
}

function paddedSize(width, height, { size: [rows, columns], scale_up: up }) {
  const fit = Math.min(columns / width, rows / height);
  const scale = up ? fit : Math.min(fit, 1);
  return [Math.max(1, roundEven(width * scale)), Math.max(1, roundEven(height * scale))];
}
