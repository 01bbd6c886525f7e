// A detector: boxes with labels and scores, in the picture's pixels.

import { candidates } from "../detection_decoding.js";
import { gatherRows } from "../detection_rows.js";
import { readPicture } from "../pictures.js";
import { runOnPicture } from "../picture_network.js";
import { mergeOverlapping } from "../suppression.js";
import { cutWindow, isCut, windows } from "../windows.js";

const WINDOWS_IOU = 0.5;

export async function run({ engine, metadata, files, values, clock }) {
  const chosen = (name) => values[name] ?? metadata.spec[name.replace("-", "_")];
  const picture = await readPicture(files.image);
  clock("decode");
  const { spec, image } = metadata;
  const tile = values.tile ?? null;
  const found = [];
  for (const window of windows(picture, tile, image.size)) {
    found.push(...(await thingsIn(engine, metadata, cutWindow(picture, window), chosen("min-score"))).map((thing) => ({ ...thing, window })));
  }
  clock("infer");
  // What a window cuts through is whole in a neighbour, or in the whole picture.
  const whole = found.filter(({ box, window }) => !isCut(window, box, picture)).map(inWholePicture);
  const most = chosen("most");
  // What a network has merged itself comes again with each window.
  const iou = chosen("iou") ?? (tile === null ? undefined : WINDOWS_IOU);
  const merged =
    iou === undefined
      ? whole.toSorted((one, other) => other.score - one.score).slice(0, most)
      : mergeOverlapping(whole, { iou, most, classWise: spec.class_wise, merge: chosen("merge") });
  clock("postprocess");
  const rows = merged.map((thing) => answer(thing, picture, spec.labels ?? [])).filter(Boolean);
  return { document: { width: picture.width, height: picture.height, detections: rows } };
}

// What may be an answer in a picture, in its pixels.
async function thingsIn(engine, metadata, picture, minScore) {
  const { outputs, width, height, place } = await runOnPicture(engine, metadata, picture);
  const { head, multi_label: multiLabel } = metadata.spec;
  return candidates(head, gatherRows(head, outputs), { height, width, minScore, multiLabel }).map((thing) => inPicture(thing, place));
}

// From pixels of a window to those of the picture that it was cut out of.
function inWholePicture({ window: { left, top }, box, points, ...thing }) {
  return {
    ...thing,
    box: box.map((value, side) => value + (side % 2 ? top : left)),
    points: points?.map(([x, y, ...seen]) => [x + left, y + top, ...seen]) ?? null,
  };
}

// From pixels of the network's input to those of the picture that lies there.
function inPicture({ box, points, ...thing }, { scale, offset }) {
  const moved = (value, axis) => (value - offset[axis]) / scale[axis];
  return {
    ...thing,
    box: box.map((value, side) => moved(value, side % 2)),
    points: points?.map(([x, y, ...seen]) => [moved(x, 0), moved(y, 1), ...seen]) ?? null,
  };
}

// As the command line says it; null for what lies in the padding.
function answer({ box, score, class: index, points }, { width, height }, labels) {
  const [x1, y1, x2, y2] = box.map((value, side) => Math.min(Math.max(value, 0), side % 2 ? height : width));
  if (!(x2 > x1 && y2 > y1)) return null;
  const rounded = (value, digits) => Number(value.toFixed(digits));
  return {
    label: labels[index] ?? `class ${index}`,
    class: index,
    score: rounded(score, 4),
    box: [x1, y1, x2, y2].map((value) => rounded(value, 2)),
    ...(points && { points: points.map((point) => point.map((value) => rounded(value, 2))) }),
  };
}
