// A picture painted in a style, or in a mixture of several.

import { Refusal } from "../page/refusal.js";
import { inColors } from "./preprocessing.js";
import { resized } from "./resampling.js";
import { roundEven } from "./rounding.js";
import { TiledNetwork } from "./tiled_network.js";
import { spans, take } from "./tiling.js";

// The longer side of the thumbnail whose statistics stand for a picture that is cut into tiles.
const THUMBNAIL = 640;

export class StyleNetwork {
  scale = 1;

  constructor(engine, metadata) {
    this.engine = engine;
    this.metadata = metadata;
    this.network = new TiledNetwork(engine, metadata);
  }

  // The painted picture, float32 around 0..1, by the `style` of `values`; null for the first.
  async restore(picture, { style }) {
    const colored = inColors(picture, "rgb");
    const { styles = [] } = this.metadata.spec ?? {};
    const shares = styleShares(style ?? null, styles);
    const others = shares ? [{ data: shares, shape: [1, shares.length] }, ...(await this.#statistics(colored, shares))] : [];
    return this.network.restore(colored, (row, column) => [take(colored, row, column), ...others]);
  }

  // What every tile is normalised by: of a thumbnail, or nothing where the picture is one tile.
  async #statistics(picture, shares) {
    if (this.engine.inputs.length < 3) return [];
    const shape = [1, 2, this.engine.inputs[2].shape[2]];
    const none = { data: new Float32Array(2 * shape[2]), shape };
    const { tile, memory, fixed } = this.network;
    const [rows, columns] = spans(picture.height, picture.width, tile, memory, fixed);
    if (rows.length * columns.length === 1) return [none];
    const factor = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
    const multiple = tile?.multiple ?? 1;
    const side = (length) => Math.max(multiple, Math.floor(roundEven(length * factor) / multiple) * multiple);
    const thumbnail = resized(picture, side(picture.width), side(picture.height));
    const [, statistics] = await this.engine.run(this.network.tensor(thumbnail), { data: shares, shape: [1, shares.length] }, none);
    return [statistics];
  }
}

// How much of each of `styles`, float32 that add up to 1; null for a network without named ones.
export function styleShares(style, styles) {
  if (!styles.length) {
    if (style !== null) throw new Refusal("the model has one style only, so that none can be chosen");
    return null;
  }
  const shares = new Array(styles.length).fill(0);
  const seen = new Set();
  for (const part of style === null ? [styles[0]] : style.split(",")) {
    const [, name, share] = /^\s*(.*?)(?::([^:]*))?\s*$/.exec(part);
    if (!styles.includes(name)) throw new Refusal(`the model has the styles ${styles.join(", ")}, not ${name}`);
    if (seen.has(name)) throw new Refusal(`the style ${name} is given twice`, "Say once how much of it.");
    seen.add(name);
    const given = share === undefined ? 1 : Number(share);
    if (!(given >= 0 && given < Infinity) || share === "") throw new Refusal(`a style is NAME or NAME:SHARE,NAME:SHARE, not ${style}`);
    shares[styles.indexOf(name)] = given;
  }
  const most = Math.max(...shares);
  if (!(most > 0)) throw new Refusal("the shares of the styles are all 0", "Give one of them more.");
  // Beside the largest first, since sums of large ones are infinite.
  const sum = shares.reduce((total, share) => total + share / most, 0);
  return Float32Array.from(shares, (share) => share / most / sum);
}
