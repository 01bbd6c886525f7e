// A detector: boxes with labels and scores, in the picture's pixels.

import { candidates } from "../detection_decoding.js";
import { gatherRows } from "../detection_rows.js";
import { readPicture } from "../pictures.js";
import { runOnPicture } from "../picture_network.js";
import { mergeOverlapping } from "../suppression.js";

export async function run({ engine, metadata, files, values, clock }) {
  const picture = await readPicture(files.image);
  clock("decode");
  const { outputs, width, height, place } = await runOnPicture(engine, metadata, picture);
  clock("infer");
  const { spec } = metadata;
  const chosen = (name) => values[name] ?? spec[name.replace("-", "_")];
  const minScore = chosen("min-score");
  const likely = candidates(spec.head, gatherRows(spec.head, outputs), { height, width, minScore, multiLabel: spec.multi_label });
  const found = likely.map((thing) => inPicture(thing, place));
  const [iou, most] = [chosen("iou"), chosen("most")];
  const merged =
    iou === undefined
      ? found.toSorted((one, other) => other.score - one.score).slice(0, most)
      : mergeOverlapping(found, { iou, most, classWise: spec.class_wise, merge: chosen("merge") });
  clock("postprocess");
  const rows = merged.map((thing) => answer(thing, picture, spec.labels ?? [])).filter(Boolean);
  return { document: { width: picture.width, height: picture.height, detections: rows } };
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
