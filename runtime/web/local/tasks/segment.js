// Segmentation: of each class the pixels that are of it, as a mask.

import { sigmoid, softmax } from "../activations.js";
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
  const map = classMap(gatherMaps(spec.head, outputs), placement, values.threshold ?? spec.threshold);
  const found = segments(map, placement, picture, spec)
    .toSorted((one, other) => other.score - one.score)
    .slice(0, values.most ?? spec.most)
    .filter(({ score, label }) => score >= (values["min-score"] ?? spec.min_score) && (!values.class?.length || values.class.includes(label)))
    .toSorted((one, other) => one.class - other.class);
  clock("postprocess");
  return { document: { width: picture.width, height: picture.height, segments: found } };
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

// One for each class but the background: its pixels in the whole picture, and how sure the network is of them.
function segments({ classes, certainty }, { seen: [[left, right], [top]] }, { width, height }, { labels = [], head }) {
  const found = new Map();
  classes.forEach((index, at) => {
    if (index < 0 || index === backgroundOf(head)) return;
    const thing = found.get(index) ?? { mask: new Uint8Array(width * height), area: 0, sum: 0, box: [width, height, 0, 0] };
    found.set(index, thing);
    const [x, y] = [left + (at % (right - left)), top + Math.floor(at / (right - left))];
    thing.mask[y * width + x] = 1;
    thing.area += 1;
    thing.sum += Math.min(Math.max(certainty[at], 0), 1);
    const [x1, y1, x2, y2] = thing.box;
    thing.box = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
  });
  return [...found].map(([index, { mask, area, sum, box }]) => ({
    label: labels[index] ?? `class ${index}`,
    class: index,
    score: Number((sum / area).toFixed(4)),
    area,
    box,
    mask: encodeMask(mask, width, height),
  }));
}

const backgroundOf = ({ background = null, maps }) => background ?? (maps.some(({ fields }) => fields.includes("foreground")) ? 0 : null);
