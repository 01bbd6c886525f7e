// Points of the thing that a picture shows, or of the one in a box.

import { Refusal } from "../../page/refusal.js";
import { cropOfBox, cutOut, toPicture } from "../crops.js";
import { decodePoints } from "../keypoint_decoding.js";
import { onWhite, readPicture } from "../pictures.js";
import { runOnPicture } from "../picture_network.js";

// How often points of the whole picture are looked for again where they were, and the least side of such a place.
const LOOKS = 2;
const SMALLEST = 8;

export async function run({ engine, metadata, files, values, clock }) {
  const picture = onWhite(await readPicture(files.image));
  clock("decode");
  const { head, margin } = metadata.spec;
  const look = (box, grown) => pointsIn(engine, metadata, picture, box, grown);
  const given = values.box === null ? null : parsedBox(values.box, picture);
  let box = given ?? [0, 0, picture.width, picture.height];
  let points = await look(box, given ? margin : 0);
  if (!given && head.activation === "softmax" && head.coding !== "points") [box, points] = await lookedAgain(look, box, points, margin);
  clock("infer");
  return { document: answer(picture, metadata.spec, box, points) };
}

function parsedBox(text, { width, height }) {
  const box = text.split(",").map(Number);
  const [x1, y1, x2, y2] = box;
  if (box.length !== 4 || !(x2 > x1 && y2 > y1)) throw new Refusal(`a box is x1,y1,x2,y2 with x1 < x2 and y1 < y2, not ${text}`);
  if (x1 >= width || y1 >= height || x2 <= 0 || y2 <= 0) throw new Refusal(`the box ${text} is outside of the picture`);
  return box;
}

// [x, y, score] of each point in the box, in pixels of the picture.
async function pointsIn(engine, metadata, picture, box, margin) {
  const { size, pad_value: fill } = metadata.image;
  const [rows, columns] = size;
  const crop = cropOfBox(box, columns / rows, margin);
  const { outputs, width, height } = await runOnPicture(engine, metadata, cutOut(picture, crop, columns, rows, fill));
  return decodePoints(metadata.spec.head, outputs, width, height).map(([x, y, score]) => [...toPicture(crop, x, y), score]);
}

// The surest look of a few, each at where the last one found points.
async function lookedAgain(look, box, points, margin) {
  const looks = [[box, points]];
  for (let count = 0; count < LOOKS; count += 1) {
    const [, last] = looks.at(-1);
    const side = (axis, choose) => choose(...last.map((point) => point[axis]));
    const found = [side(0, Math.min), side(1, Math.min), side(0, Math.max), side(1, Math.max)];
    if (Math.min(found[2] - found[0], found[3] - found[1]) < SMALLEST) break;
    looks.push([found, await look(found, margin)]);
  }
  return looks.reduce((best, one) => (meanScore(one[1]) > meanScore(best[1]) ? one : best));
}

const meanScore = (points) => points.reduce((sum, [, , score]) => sum + score, 0) / points.length;

function answer({ width, height }, { point_names: names = [], thing: label = "thing" }, box, points) {
  const rounded = (value, digits = 2) => Number(value.toFixed(digits));
  const thing = {
    label,
    score: rounded(meanScore(points), 4),
    box: box.map((value) => rounded(value)),
    points: points.map(([x, y, score]) => [rounded(x), rounded(y), rounded(score, 4)]),
  };
  return { width, height, point_names: points.map((_, index) => names[index] ?? `point ${index}`), things: [thing] };
}
