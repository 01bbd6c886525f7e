// Brightening by curves x + a x (1 - x) that a network estimates from a thumbnail.

import { inColors, normalise, resize } from "./preprocessing.js";
import { weights } from "./resampling.js";
import { roundEven } from "./rounding.js";
import { asFloat } from "./samples.js";

// Curves of less on average leave a picture as it is. One that is always to be brightened is shown so much darker, at
// most so many times.
const BRIGHTENS = 0.05;
const DARKER = 0.85;
const DARKER_STEPS = 7;

// Of the thumbnail's pixels, by their brightest channel, the one that tells whether a picture has lights, and from where
// to where they are protected.
const LIGHTS = 0.998;
const LIT = [0.65, 0.95];

export class CurveNetwork {
  scale = 1;

  constructor(engine, { image }) {
    this.engine = engine;
    this.image = image;
  }

  // The image bent by the curves, float32 around 0..1; `always` also where the network would leave it as it is.
  async restore(picture, { always }) {
    const { width, height, channels } = picture;
    const { maps, rows, columns, protection } = await this.#curves(picture, always);
    const given = asFloat(picture.pixels);
    const pixels = given.slice();
    const planes = channels === 1 ? maps.map((curve) => [meanOf(curve)]) : maps;
    const across = weights(columns, 0, columns, width, "bilinear");
    const wide = planes.map((curve) => curve.map((plane) => stretchedAcross(plane, rows, columns, across)));
    const strengths = new Float32Array(width);
    weights(rows, 0, rows, height, "bilinear").forEach(({ first, own }, y) => {
      for (const curve of wide) {
        curve.forEach((plane, channel) => {
          strengths.fill(0);
          own.forEach((weight, index) => {
            const start = (first + index) * width;
            for (let x = 0; x < width; x += 1) strengths[x] += weight * plane[start + x];
          });
          for (let x = 0, at = y * width * channels + channel; x < width; x += 1, at += channels) {
            pixels[at] += strengths[x] * pixels[at] * (1 - pixels[at]);
          }
        });
      }
    });
    if (protection) protect(pixels, given, channels, protection);
    return { width, height, channels, pixels };
  }

  // {maps: planes of each iteration, for red, green and blue; rows, columns; protection: how much of what is bright stays}.
  async #curves(picture, always) {
    let thumbnail = resize(picture, this.image);
    const brightest = new Float64Array(thumbnail.width * thumbnail.height);
    thumbnail.pixels.forEach((sample, at) => {
      const place = Math.floor(at / thumbnail.channels);
      brightest[place] = Math.max(brightest[place], sample);
    });
    const lights = (quantile(brightest, LIGHTS) / 255 - LIT[0]) / (LIT[1] - LIT[0]);
    let predicted = await this.#predicted(thumbnail);
    for (let step = 0; always && step < DARKER_STEPS && predicted.mean <= BRIGHTENS; step += 1) {
      thumbnail = { ...thumbnail, pixels: thumbnail.pixels.map((sample) => roundEven(sample * DARKER)) };
      predicted = await this.#predicted(thumbnail);
    }
    return { ...predicted, protection: Math.min(Math.max(lights, 0), 1) };
  }

  async #predicted(thumbnail) {
    const colored = inColors(thumbnail, this.image.color);
    const shape = [1, colored.channels, colored.height, colored.width];
    const [{ data, shape: [, planes, rows, columns] }] = await this.engine.run({ data: normalise(colored, this.image), shape });
    const plane = (index) => data.subarray(index * rows * columns, (index + 1) * rows * columns);
    const maps = Array.from({ length: planes / 3 }, (_, index) => [plane(3 * index), plane(3 * index + 1), plane(3 * index + 2)]);
    return { maps, rows, columns, mean: data.reduce((sum, value) => sum + value, 0) / data.length };
  }
}

const meanOf = ([red, green, blue]) => red.map((value, at) => (value + green[at] + blue[at]) / 3);

function stretchedAcross(plane, rows, columns, across) {
  const wide = new Float32Array(rows * across.length);
  for (let row = 0, at = 0; row < rows; row += 1) {
    for (const { first, own } of across) {
      let sum = 0;
      own.forEach((weight, index) => (sum += weight * plane[row * columns + first + index]));
      wide[at++] = sum;
    }
  }
  return wide;
}

// Draws the values back to what was given, the more the brighter that was.
function protect(pixels, given, channels, protection) {
  for (let at = 0; at < pixels.length; at += channels) {
    let brightest = 0;
    for (let channel = 0; channel < channels; channel += 1) brightest = Math.max(brightest, given[at + channel]);
    const kept = protection * brightest * brightest;
    for (let channel = at; channel < at + channels; channel += 1) pixels[channel] += kept * (given[channel] - pixels[channel]);
  }
}

function quantile(values, share) {
  const sorted = values.slice().sort();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (place - below);
}
