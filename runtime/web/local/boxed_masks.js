// Masks in boxes: each is a weighted sum of prototypes, which its box cuts off (Bolya et al. 2019, YOLACT).

import { sigmoid } from "./activations.js";
import { candidates } from "./detection_decoding.js";
import { gatherRows } from "./detection_rows.js";
import { mergeOverlapping } from "./suppression.js";

// {class, score, places} of each thing, the surest first: `places` are those of its pixels in the picture. `prototypes` are
// maps {planes, rows, columns}; `limits` {minScore, most, threshold}.
export function boxedMasks(spec, outputs, prototypes, placement, { minScore, most, threshold }) {
  const [width, height] = placement.inputSides;
  const rows = gatherRows(spec.head, outputs);
  const found = candidates(spec.head, rows, { height, width, minScore, multiLabel: spec.multi_label });
  const kept =
    spec.iou === undefined
      ? found.toSorted((one, other) => other.score - one.score).slice(0, most)
      : mergeOverlapping(found, { iou: spec.iou, most, classWise: spec.class_wise, merge: "suppress" });
  return kept
    .map((thing) => ({ class: thing.class, score: thing.score, places: placesOf(thing, prototypes, placement, threshold) }))
    .filter(({ places }) => places.length);
}

function placesOf({ box, coefficients }, { planes, rows, columns }, placement, threshold) {
  const window = placement.boxInPicture(box);
  const [x1, y1, x2, y2] = window;
  if (x1 >= x2 || y1 >= y2) return [];
  const mixed = planes[0].map((_, cell) => sigmoid(planes.reduce((sum, plane, index) => sum + coefficients[index] * plane[cell], 0)));
  const places = [];
  placement.toWindow(mixed, columns, rows, window).forEach((value, at) => {
    if (value < threshold) return;
    const [x, y] = [x1 + (at % (x2 - x1)), y1 + Math.floor(at / (x2 - x1))];
    places.push(y * placement.pictureSides[0] + x);
  });
  return places;
}
