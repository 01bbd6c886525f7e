// Generation: seeds in, a sheet of pictures out.

import { Refusal } from "../../page/refusal.js";
import { drawLatent, interpolate } from "../latents.js";
import { checkPixels, encode } from "../pictures.js";
import { resample } from "../resampling.js";
import { roundEven } from "../rounding.js";

const TEXTURE_SIDE = 256;
const GAP = 2;
const CAPTION_HEIGHT = 12;

export async function run({ engine, metadata, values, clock }) {
  const { seed, count, class: label, truncation, interpolate: between, zoom, size } = values;
  const { latent, labels = [] } = metadata.spec;
  const texture = textureSides(latent, size);
  const numbers = latent.size * texture.rows * texture.columns;
  const draw = (own, index) => drawLatent(latent, numbers, own, index, truncation);
  const chosen = label === null ? null : labels.indexOf(label);
  const codes = between
    ? interpolate(...seedsOf(between).map((own) => draw(own, 0)), count)
    : Array.from({ length: count }, (_, index) => draw(seed, index));
  clock("draw");
  const pictures = [];
  for (const [index, code] of codes.entries()) {
    const drawn = chosen ?? (between ? 0 : index % (labels.length || 1));
    pictures.push(enlarged(cropped(await decode(engine, metadata, code, texture, drawn), texture), zoom));
  }
  clock("infer");
  const captions = labels.length && !between && zoom > 1 ? codes.map((_, index) => label ?? labels[index % labels.length]) : [];
  const columns = between ? pictures.length : Math.ceil(Math.sqrt(pictures.length));
  const blob = await sheet(pictures, columns, captions);
  clock("encode");
  return { blob };
}

function seedsOf(text) {
  const seeds = text.split(":").map(Number);
  if (seeds.length === 2 && seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) return seeds;
  throw new Refusal(`two seeds are wanted, as 3:7, not ${text}`);
}

// {rows, columns} of the latent map, and {height, width} of the texture that is wanted; a picture of one size has none.
function textureSides({ pixels }, size) {
  if (!pixels) return { rows: 1, columns: 1 };
  const [width, height] = (size ?? `${TEXTURE_SIDE}x${TEXTURE_SIDE}`).split("x").map(Number);
  if (!(width >= 1 && height >= 1)) throw new Refusal(`a size is WIDTHxHEIGHT, as 640x480, not ${size}`);
  checkPixels(width, height, "the texture");
  return { rows: Math.ceil(height / pixels), columns: Math.ceil(width / pixels), height, width };
}

async function decode(engine, { outputs, spec }, code, { rows, columns }, index) {
  const axes = engine.inputs[0].shape.length;
  const tensors = [{ data: code, shape: axes === 4 ? [1, spec.latent.size, rows, columns] : [1, spec.latent.size] }];
  if (engine.inputs.length > 1) {
    const classes = new Float32Array(spec.labels.length);
    classes[index] = 1;
    tensors.push({ data: classes, shape: [1, classes.length] });
  }
  const [{ data, shape }] = await engine.run(...tensors);
  const [low, high] = outputs[0].value_range ?? [-1, 1];
  const sides = shape.length === 4 ? shape.slice(1) : squareSides(data.length);
  return asPicture(data, sides, low, 255 / (high - low));
}

function squareSides(length) {
  for (const channels of [1, 3]) {
    const side = Math.round(Math.sqrt(length / channels));
    if (channels * side * side === length) return [channels, side, side];
  }
  throw new Refusal(`${length} numbers are no square picture`);
}

function asPicture(data, [channels, height, width], low, factor) {
  const count = height * width;
  const pixels = new Uint8Array(channels * count);
  for (let channel = 0; channel < channels; channel += 1) {
    for (let place = 0; place < count; place += 1) {
      const value = Math.fround(Math.fround(data[channel * count + place] - low) * Math.fround(factor));
      pixels[place * channels + channel] = Math.min(Math.max(roundEven(value), 0), 255);
    }
  }
  return { width, height, channels, pixels, alpha: null };
}

function cropped(picture, { height, width }) {
  if (!height) return picture;
  const { channels } = picture;
  const pixels = new Uint8Array(height * width * channels);
  for (let row = 0; row < height; row += 1) {
    const start = row * picture.width * channels;
    pixels.set(picture.pixels.subarray(start, start + width * channels), row * width * channels);
  }
  return { ...picture, width, height, pixels };
}

const enlarged = (picture, zoom) => (zoom === 1 ? picture : resample(picture, picture.width * zoom, picture.height * zoom, "bicubic"));

// All pictures in rows of `columns` on white, under each its caption where there are any.
async function sheet(pictures, columns, captions) {
  const [{ width, height }] = pictures;
  const under = height + (captions.length ? CAPTION_HEIGHT : 0);
  const rows = Math.ceil(pictures.length / columns);
  const canvas = new OffscreenCanvas(columns * (width + GAP) - GAP, rows * (under + GAP) - GAP);
  checkPixels(canvas.width, canvas.height, "the sheet");
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = "10px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = "#000";
  for (const [index, picture] of pictures.entries()) {
    const [left, top] = [(index % columns) * (width + GAP), Math.floor(index / columns) * (under + GAP)];
    context.drawImage(await createImageBitmap(await encode(picture)), left, top);
    if (captions.length) context.fillText(captions[index], left + width / 2, top + height + CAPTION_HEIGHT / 2, width);
  }
  return canvas.convertToBlob({ type: "image/png" });
}
