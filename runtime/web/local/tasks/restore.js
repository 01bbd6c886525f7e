// A picture in, a better or another one out: denoising, upscaling, brightening, colours for what has none, painting,
// translation.

import { ChromaNetwork } from "../chroma.js";
import { CurveNetwork } from "../curves.js";
import { continueColours } from "../hole_filling.js";
import { checkPixels, encode, readPicture } from "../pictures.js";
import { inColors } from "../preprocessing.js";
import { asFloat, stored } from "../samples.js";
import { StyleNetwork } from "../stylization.js";
import { TiledNetwork } from "../tiled_network.js";

// By what they predict, those that do not give the picture itself, tile by tile.
const NETWORKS = { curves: CurveNetwork, chroma: ChromaNetwork };

const networkFor = ({ task, spec }) => (task === "stylize" ? StyleNetwork : (NETWORKS[spec?.predicts] ?? TiledNetwork));

export async function run({ engine, metadata, files, values, clock }) {
  const given = await readPicture(files.image);
  // What is gray becomes what is drawn in colours.
  const picture = metadata.task === "translate" ? { ...inColors(given, "rgb"), alpha: given.alpha } : given;
  clock("decode");
  const Network = networkFor(metadata);
  const network = new Network(engine, metadata);
  const { scale } = network;
  checkPixels(picture.width * scale, picture.height * scale, "the result");
  const seen = picture.alpha ? continueColours(picture, picture.alpha) : picture;
  const restored = await (Network === TiledNetwork ? network.restore(seen) : network.restore(seen, values));
  if ((values.strength ?? 1) < 1) mix(restored, seen, values.strength);
  const alpha = picture.alpha && scale > 1 ? await enlargedAlpha(network, picture) : picture.alpha;
  clock("restore");
  const blob = await encode({ ...restored, pixels: stored(restored.pixels), alpha }, { type: files.image.type, quality: values.quality });
  clock("encode");
  return { blob };
}

// From the picture, 0, to what the network makes of it, 1; that may have colours where the picture has none.
function mix({ channels, pixels }, seen, strength) {
  const before = asFloat(seen.pixels);
  const places = channels / seen.channels;
  pixels.forEach((value, at) => {
    const own = before[Math.floor(at / places)];
    pixels[at] = own + strength * (value - own);
  });
}

// What is opaque or transparent all around stays so, and no edge rings.
async function enlargedAlpha(network, { width, height, alpha }) {
  const made = await network.restore({ width, height, channels: 1, pixels: alpha });
  const enlarged = stored(made.pixels);
  for (let y = 0, at = 0; y < made.height; y += 1) {
    for (let x = 0; x < made.width; x += 1, at += 1) {
      const [lowest, highest] = rangeAround(alpha, width, height, Math.floor(x / network.scale), Math.floor(y / network.scale));
      enlarged[at] = Math.min(Math.max(enlarged[at], lowest), highest);
    }
  }
  return enlarged;
}

function rangeAround(alpha, width, height, x, y) {
  let [lowest, highest] = [255, 0];
  for (let down = Math.max(y - 1, 0); down <= Math.min(y + 1, height - 1); down += 1) {
    for (let right = Math.max(x - 1, 0); right <= Math.min(x + 1, width - 1); right += 1) {
      lowest = Math.min(lowest, alpha[down * width + right]);
      highest = Math.max(highest, alpha[down * width + right]);
    }
  }
  return [lowest, highest];
}
