// Inpainting: what lies under the mask is made up from its surroundings, every other pixel stays as it is.

import { Refusal } from "../../page/refusal.js";
import { coarseLevels, continueColours, doubled, fillSmoothly, halveKnown } from "../hole_filling.js";
import { encode, readMask, readPicture } from "../pictures.js";
import { asFloat, stored } from "../samples.js";
import { TiledNetwork } from "../tiled_network.js";
import { take } from "../tiling.js";

// Of a tile, in bytes: the smaller tiles are, the less is computed beside the holes.
const MEMORY = 32 << 20;

export async function run({ engine, metadata, files, values, clock }) {
  const picture = await readPicture(files.image);
  const holes = await holesOf(picture, files.mask, values);
  clock("decode");
  const filled = holes.includes(1) ? await fill(new TiledNetwork(engine, metadata, MEMORY), picture, holes) : picture;
  const opaque = values["mask-from-alpha"] && picture.alpha;
  const alpha = opaque ? picture.alpha.map((share, place) => (holes[place] ? 255 : share)) : picture.alpha;
  clock("fill");
  const blob = await encode({ ...filled, alpha }, { type: files.image.type, quality: values.quality });
  clock("encode");
  return { blob };
}

// 1 where the picture is to be filled: where the mask is white, or what is more transparent than opaque.
async function holesOf({ width, height, alpha }, mask, values) {
  if (values["mask-from-alpha"] && !alpha) throw new Refusal("the picture has no transparency to take the mask from");
  if (!values["mask-from-alpha"] && !mask) throw new Refusal("a mask is needed", "Paint over what is to be filled.");
  const marked = values["mask-from-alpha"] ? alpha.map((share) => (share <= 127 ? 1 : 0)) : await readMask(mask, width, height);
  const holes = values["invert-mask"] ? marked.map((hole) => 1 - hole) : marked;
  if (!holes.includes(0)) throw new Refusal("the mask covers the whole picture, so nothing is left to fill it from");
  return holes;
}

async function fill(network, picture, holes) {
  const { width, height, channels, pixels, alpha } = picture;
  const seen = alpha ? continueColours(picture, alpha.map((share, place) => (holes[place] ? 0 : share))) : picture;
  const made = await filledFrom(network, { ...seen, pixels: asFloat(seen.pixels) }, holes, coarseLevels(holes, width, height));
  const result = stored(made);
  pixels.forEach((sample, at) => holes[Math.floor(at / channels)] || (result[at] = sample));
  return { ...picture, pixels: result };
}

// Floats of `image` with its holes filled: large ones at a coarser level first, where the network sees across them.
async function filledFrom(network, image, holes, levels) {
  const { width, height, channels, pixels } = image;
  const { image: coarse, known } = halveKnown(image, Float32Array.from(holes, (hole) => 1 - hole));
  const coarseHoles = Uint8Array.from(known, (share) => (share ? 0 : 1));
  if (levels) coarse.pixels = await filledFrom(network, coarse, coarseHoles, levels - 1);
  else fillSmoothly(coarse, known);
  const guess = { width, height, channels, pixels: pixels.slice() };
  const smooth = doubled(coarse, width, height).pixels;
  const mask = { width, height, channels: 1, pixels: Float32Array.from(holes) };
  for (let at = 0; at < smooth.length; at += 1) if (holes[Math.floor(at / channels)]) guess.pixels[at] = smooth[at];
  const restored = await network.restore(guess, (row, column) => {
    const marked = take(mask, row, column);
    if (!marked.pixels.includes(1)) return null;
    return [take(guess, row, column), { data: marked.pixels, shape: [1, 1, marked.height, marked.width] }];
  });
  const result = pixels.slice();
  restored.pixels.forEach((value, at) => holes[Math.floor(at / channels)] && (result[at] = Math.min(Math.max(value, 0), 1)));
  return result;
}
