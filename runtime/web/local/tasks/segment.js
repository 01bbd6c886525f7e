// Segmentation: of each class the pixels that are of it, or of each thing where the model tells them apart, as a mask.

import { sigmoid, softmax } from "../activations.js";
import { boxedMasks } from "../boxed_masks.js";
import { findThings } from "../instances.js";
import { encodeMask } from "../mask_encoding.js";
import { MapPlacement } from "../map_placement.js";
import { readPicture } from "../pictures.js";
import { runOnPicture } from "../picture_network.js";

const SEVERAL = "scores";
// What an activation makes no probabilities of.
const PLAIN = ["distance", "class"];

export async function run({ engine, metadata, files, values, clock }) {
  const picture = await readPicture(files.image);
  clock("decode");
  const { outputs, width, height, place } = await runOnPicture(engine, metadata, picture);
  clock("infer");
  const { spec } = metadata;
  const placement = new MapPlacement(place, picture, width, height);
  const maps = gatherMaps(spec.head, outputs);
  const threshold = values.threshold ?? spec.threshold;
  const { boxes, watershed } = spec.head;
  const minScore = values["min-score"] ?? (boxes ?? spec).min_score;
  const most = values.most ?? (boxes ?? spec).most;
  const things = boxes
    ? boxedMasks(boxes, outputs, maps.prototypes, placement, { minScore, most, threshold })
    : (watershed ? thingsApart : classesApart)(spec, maps, placement, threshold);
  const found = things
    .map((thing) => segment(thing, picture, spec.labels))
    .filter(({ score, label }) => score >= minScore && (!values.class?.length || values.class.includes(label)))
    .toSorted((one, other) => other.score - one.score)
    .slice(0, most);
  // The classes of pixels come in their own order.
  const shown = (boxes || watershed ? found : found.toSorted((one, other) => one.class - other.class)).map(rounded);
  clock("postprocess");
  return { document: { width: picture.width, height: picture.height, segments: shown } };
}

// The channels of each field: {field: {planes, rows, columns}}, probabilities where the head says how they become some.
function gatherMaps(head, outputs) {
  const maps = {};
  for (const { output, fields, channels: order, activation } of head.maps) {
    const { data, shape } = outputs[output];
    const [count, rows, columns] = sides(shape, order);
    const cells = rows * columns;
    const planes = Array.from({ length: count }, (_, channel) =>
      order === "last" ? Float32Array.from({ length: cells }, (_, cell) => data[cell * count + channel]) : data.slice(channel * cells, (channel + 1) * cells),
    );
    const probable = [];
    let start = 0;
    for (const field of fields) {
      const stop = start + (field === SEVERAL ? count - fields.length + 1 : 1);
      maps[field] = { planes: planes.slice(start, stop), rows, columns };
      if (!PLAIN.includes(field)) probable.push(...maps[field].planes);
      start = stop;
    }
    activate(probable, activation);
  }
  return maps;
}

function sides(shape, order) {
  const own = shape.length > 2 && shape[0] === 1 ? shape.slice(1) : shape;
  if (own.length === 2) return [1, ...own];
  return order === "last" ? [own[2], own[0], own[1]] : own;
}

function activate(planes, activation) {
  if (activation === "sigmoid") for (const plane of planes) plane.forEach((value, cell) => (plane[cell] = sigmoid(value)));
  if (activation !== "softmax") return;
  for (let cell = 0; cell < planes[0].length; cell += 1) {
    softmax(planes.map((plane) => plane[cell])).forEach((share, channel) => (planes[channel][cell] = share));
  }
}

// {classes, certainty} of the pixels that are seen. Maps are brought to the picture before they are compared, so that
// borders are smooth.
function classMap(maps, placement, threshold) {
  const brought = ({ planes, rows, columns }, channel, smooth) => placement.toPicture(planes[channel], columns, rows, smooth);
  if (maps.scores) {
    const certainty = brought(maps.scores, 0);
    const classes = new Int32Array(certainty.length);
    for (let channel = 1; channel < maps.scores.planes.length; channel += 1) {
      brought(maps.scores, channel).forEach((value, at) => {
        if (value <= certainty[at]) return;
        [classes[at], certainty[at]] = [channel, value];
      });
    }
    return { classes, certainty };
  }
  if (maps.class) {
    const classes = Int32Array.from(brought(maps.class, 0, false), Math.round);
    return { classes, certainty: new Float32Array(classes.length).fill(1) };
  }
  const foreground = brought(maps.foreground, 0);
  const classes = Int32Array.from(foreground, (value) => (value >= threshold ? 1 : 0));
  return { classes, certainty: foreground.map((value, at) => (classes[at] ? value : 1 - value)) };
}

// {class, score, places} of what is of each class, and below of each thing.
function classesApart({ head }, maps, placement, threshold) {
  const { classes, certainty } = classMap(maps, placement, threshold);
  const background = maps.foreground ? 0 : (head.background ?? null);
  const [sums, areas] = [[], []];
  classes.forEach((index, at) => {
    sums[index] = (sums[index] ?? 0) + Math.min(Math.max(certainty[at], 0), 1);
    areas[index] = (areas[index] ?? 0) + 1;
  });
  const numbers = classes.map((index) => (index === background ? -1 : index));
  return gathered(numbers, placement, (number) => ({ class: number, score: sums[number] / areas[number] }));
}

function thingsApart({ head }, maps, placement, threshold) {
  const { ids, classes, scores } = findThings(head, maps, placement, threshold);
  return gathered(ids.map((id) => id - 1), placement, (number) => ({ class: classes[number], score: scores[number] }));
}

// One for each number of those at the pixels that are seen, negative for none: its pixels in the whole picture.
function gathered(numbers, { seen: [[left, right], [top]], pictureSides: [width] }, describe) {
  const places = new Map();
  numbers.forEach((number, at) => {
    if (number < 0) return;
    const [x, y] = [left + (at % (right - left)), top + Math.floor(at / (right - left))];
    if (!places.has(number)) places.set(number, []);
    places.get(number).push(y * width + x);
  });
  return [...places].toSorted(([one], [other]) => one - other).map(([number, own]) => ({ ...describe(number), places: own }));
}

// As the command line says it.
function segment({ class: index, score, places }, { width, height }, labels = []) {
  const box = [width, height, 0, 0];
  for (const place of places) {
    const [x, y] = [place % width, Math.floor(place / width)];
    [box[0], box[1], box[2], box[3]] = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
  }
  return {
    label: labels[index] ?? `class ${index}`,
    class: index,
    score,
    area: places.length,
    box,
    mask: maskOf(places, width, height),
  };
}

function maskOf(places, width, height) {
  const mask = new Uint8Array(width * height);
  for (const place of places) mask[place] = 1;
  return encodeMask(mask, width, height);
}

const rounded = (row) => ({ ...row, score: Number(row.score.toFixed(4)) });
