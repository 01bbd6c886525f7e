// A network that gives a picture, or the noise in it, over a picture of any size, tile by tile.

import { channelsOf, inColors, scaleAndOffset } from "./preprocessing.js";
import { resample } from "./resampling.js";
import { asFloat, toRgb, toYcbcr } from "./samples.js";
import { addTile, spans, take } from "./tiling.js";

// What a tile may take in a browser, in bytes.
export const TILE_MEMORY = 128 << 20;

export class TiledNetwork {
  constructor(engine, metadata, memory = TILE_MEMORY) {
    const { scale = 1, predicts = "image", output_range: range } = metadata.spec ?? {};
    this.engine = engine;
    this.scale = scale;
    this.tile = metadata.tile;
    this.memory = memory;
    this.predictsNoise = predicts === "noise";
    this.color = metadata.image.color;
    const sides = engine.inputs[0].shape.slice(2);
    this.fixed = sides.map((side) => (typeof side === "number" ? side : null));
    const { scale: factors, offset } = scaleAndOffset(metadata.image);
    // The preprocessor's factors are for samples of 0..255.
    this.factors = factors.map((factor) => factor * 255);
    this.offset = offset;
    this.back = this.factors.map((factor) => (range ? 1 / (range[1] - range[0]) : 1 / factor));
    this.shift = this.factors.map((factor, channel) => (range ? -range[0] / (range[1] - range[0]) : -offset[channel] / factor));
  }

  // The restored image, float32 around 0..1, of a picture; `inputs` gives a tile's image and its other inputs, or null
  // where the result is not needed and stays 0.
  async restore(picture, inputs = (row, column) => [take(picture, row, column)]) {
    const { scale } = this;
    const sum = { width: picture.width * scale, height: picture.height * scale, channels: picture.channels };
    sum.pixels = new Float32Array(sum.width * sum.height * sum.channels);
    const [rows, columns] = spans(picture.height, picture.width, this.tile, this.memory, this.fixed);
    for (const row of rows) {
      for (const column of columns) {
        const given = inputs(row, column);
        if (!given) continue;
        const [tile, ...others] = given;
        addTile(sum, this.#inPictureColors(await this.#infer(tile, others), tile), row, column, scale);
      }
    }
    return sum;
  }

  // A whole image as the network takes it.
  tensor(image) {
    return this.#tensor(this.#networkColors(image), null);
  }

  async #infer(tile, others) {
    const image = this.#networkColors(tile);
    // A colour picture in a gray network goes through it channel by channel.
    const parts = channelsOf(this.color) === 1 && image.channels === 3 ? [0, 1, 2] : [null];
    const made = [];
    for (const part of parts) {
      const tensor = this.#tensor(image, part);
      const [output] = await this.engine.run(tensor, ...others);
      if (this.predictsNoise) output.data.forEach((value, at) => (output.data[at] = tensor.data[at] - value));
      made.push(output.data);
    }
    return this.#image(made, tile.width * this.scale, tile.height * this.scale);
  }

  // float32 (1, channels, height, width) in the network's range, of all channels or one.
  #tensor({ width, height, channels, pixels }, part) {
    const count = width * height;
    const taken = part === null ? Array.from({ length: channels }, (_, channel) => channel) : [part];
    const data = new Float32Array(count * taken.length);
    taken.forEach((channel, index) => {
      const own = part === null ? channel : 0;
      for (let place = 0; place < count; place += 1) {
        data[index * count + place] = Math.fround(pixels[place * channels + channel] * this.factors[own]) + this.offset[own];
      }
    });
    return { data, shape: [1, taken.length, height, width] };
  }

  // The image of planes (channels, height, width) in the network's range, of one output or of three of one channel.
  #image(outputs, width, height) {
    const count = width * height;
    const channels = outputs.length * (outputs[0].length / count);
    const pixels = new Float32Array(count * channels);
    for (let channel = 0; channel < channels; channel += 1) {
      const own = outputs.length > 1 ? 0 : channel;
      const [plane, start] = outputs.length > 1 ? [outputs[channel], 0] : [outputs[0], channel * count];
      for (let place = 0; place < count; place += 1) {
        pixels[place * channels + channel] = Math.fround(plane[start + place] * this.back[own]) + this.shift[own];
      }
    }
    return { width, height, channels, pixels };
  }

  // The tile's samples as floats in the network's colours; of colour pictures in gray networks all three channels.
  #networkColors(tile) {
    const gray = tile.channels === 1;
    if (this.color === "gray" || (gray && this.color === "luma")) return { ...tile, pixels: asFloat(tile.pixels) };
    if (this.color === "luma") return { ...tile, channels: 1, pixels: this.#ycbcr(tile).filter((_, at) => at % 3 === 0) };
    if (tile.pixels instanceof Uint8Array) {
      const colored = inColors(tile, this.color);
      const pixels = asFloat(colored.pixels);
      if (gray && this.color === "ycbcr") pixels.forEach((_, at) => at % 3 && (pixels[at] = 0.5));
      return { ...colored, pixels };
    }
    return inColorsOfFloats(tile, this.color);
  }

  #ycbcr(tile) {
    return asFloat(toYcbcr(tile.pixels));
  }

  // The restored tile in gray or RGB, as the picture is.
  #inPictureColors(restored, tile) {
    const gray = tile.channels === 1;
    let { channels, pixels } = restored;
    if (this.color === "bgr") for (let at = 0; at < pixels.length; at += 3) [pixels[at], pixels[at + 2]] = [pixels[at + 2], pixels[at]];
    if (this.color === "luma" && !gray) {
      pixels = toRgb(this.#withChroma(restored, tile));
      channels = 3;
    } else if (this.color === "ycbcr" && !gray) pixels = toRgb(pixels);
    if (gray && channels === 3) {
      const plane = new Float32Array(pixels.length / 3);
      for (let place = 0, at = 0; place < plane.length; place += 1, at += 3) {
        plane[place] = this.color === "ycbcr" ? pixels[at] : (pixels[at] + pixels[at + 1] + pixels[at + 2]) / 3;
      }
      return { ...restored, channels: 1, pixels: plane };
    }
    return { ...restored, channels, pixels };
  }

  // A network for luma leaves the chroma to interpolation.
  #withChroma({ width, height, pixels: luma }, tile) {
    const colors = this.#ycbcr(tile);
    const result = new Float32Array(luma.length * 3);
    luma.forEach((value, place) => (result[place * 3] = value));
    for (const channel of [1, 2]) {
      const plane = { ...tile, channels: 1, pixels: colors.filter((_, at) => at % 3 === channel) };
      resample(plane, width, height, "bicubic").pixels.forEach((value, place) => (result[place * 3 + channel] = value));
    }
    return result;
  }
}

// Floats of a gray or RGB tile in RGB or BGR.
function inColorsOfFloats(tile, color) {
  const { channels, pixels } = tile;
  const count = tile.width * tile.height;
  const made = new Float32Array(count * 3);
  for (let place = 0; place < count; place += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      const from = channels === 1 ? 0 : color === "bgr" ? 2 - channel : channel;
      made[place * 3 + channel] = pixels[place * channels + from];
    }
  }
  return { ...tile, channels: 3, pixels: made };
}
