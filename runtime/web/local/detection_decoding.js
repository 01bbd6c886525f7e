// From rows to boxes, scores and points in pixels of the network's input.

import { activated, sigmoid, softmax } from "./activations.js";
import { gridSize, hasPriors, perCell } from "./detection_rows.js";

// No box is e^12 times its prior: what is out of range must not become infinite.
const exp = (value) => Math.exp(Math.min(value, 12));

// {box, score, class, coefficients, points} for each row, or each class of it, with a score of `minScore` and more.
export function candidates(head, rows, { height, width, minScore, multiLabel }) {
  const places = hasPriors(head) ? priors(head, height, width) : null;
  const all = Array.from({ length: rows.count }, (_, row) => scoresOf(head, rows, row));
  const scores = head.peaks ? peaks(all, gridSize(head.levels[0], height, width)) : all;
  const found = [];
  scores.forEach((own, row) => {
    for (const [index, score] of multiLabel ? own.entries() : [best(own)]) {
      if (!(score >= minScore)) continue;
      const thing = {
        box: boxOf(head, rows, row, places?.[row], [width, height]),
        score: Math.fround(score),
        class: rows.has("class") ? Math.round(rows.read("class", row)[0]) : index,
        coefficients: head.coefficients ? rows.read("coefficients", row) : null,
        points: head.points ? pointsOf(head, rows.read("points", row), places?.[row], [width, height]) : null,
      };
      if (thing.class >= 0 && [thing.box, ...(thing.points ?? [])].flat().every(Number.isFinite)) found.push(thing);
    }
  });
  return found;
}

const best = (scores) => scores.reduce((most, score, index) => (score > most[1] ? [index, score] : most), [0, scores[0]]);

function scoresOf(head, rows, row) {
  const field = rows.has("scores") ? "scores" : "score";
  let scores = rows.has(field) ? activated(rows.read(field, row), head.scores) : null;
  if (scores && field === "scores" && typeof head.background === "number") scores.splice(head.background, 1);
  if (rows.has("objectness")) {
    const [objectness] = activated(rows.read("objectness", row), head.objectness);
    scores = scores ? scores.map((score) => score * objectness) : [objectness];
    if (head.geometric) scores = scores.map((score) => Math.sqrt(Math.max(score, 0)));
  }
  return scores.map((score) => (Number.isNaN(score) ? -1 : score));
}

// The scores that none of the eight cells round them exceeds; -1 for the others.
function peaks(scores, [rows, columns]) {
  return scores.map((own, cell) => {
    const [y, x] = [Math.floor(cell / columns), cell % columns];
    return own.map((score, index) => {
      for (let down = Math.max(y - 1, 0); down <= Math.min(y + 1, rows - 1); down += 1) {
        for (let right = Math.max(x - 1, 0); right <= Math.min(x + 1, columns - 1); right += 1) {
          if (scores[down * columns + right][index] > score) return -1;
        }
      }
      return score;
    });
  });
}

// {center, size, stride} of the prior box of each row.
function priors({ levels, anchors_last: anchorsLast, cell_offset: offset = 0.5 }, height, width) {
  return levels.flatMap((level) => {
    const { stride, anchors = [] } = level;
    const [rows, columns] = gridSize(level, height, width);
    const sizes = anchors.length ? anchors : [[stride, stride]];
    return Array.from({ length: rows * columns * perCell(level) }, (_, row) => {
      const cell = anchorsLast ? Math.floor(row / sizes.length) : row % (rows * columns);
      const size = sizes[anchorsLast ? row % sizes.length : Math.floor(row / (rows * columns))];
      return { center: [((cell % columns) + offset) * stride, (Math.floor(cell / columns) + offset) * stride], size, stride };
    });
  });
}

const fromCenter = ([x, y], [width, height]) => [x - width / 2, y - height / 2, x + width / 2, y + height / 2];

function boxOf(head, rows, row, prior, size) {
  if (!prior) return plainBox(head, rows.read("box", row), size);
  const { center, size: own, stride } = prior;
  const unit = unitOf(head, prior, size);
  const both = (make) => [make(0), make(1)];
  if (head.coding === "centers") {
    const [offset, extent] = [rows.read("offset", row), rows.read("size", row)];
    return fromCenter(both((axis) => center[axis] + offset[axis] * stride), both((axis) => extent[axis] * unit[axis]));
  }
  const t = rows.read("box", row);
  if (head.coding === "distances") {
    const [left, top, right, bottom] = expectations(t, head.bins).map((distance, side) => distance * unit[side % 2]);
    return [center[0] - left, center[1] - top, center[0] + right, center[1] + bottom];
  }
  const [move, grow] = head.variances ?? [];
  const codings = {
    priors: (axis) => [center[axis] + move * t[axis] * own[axis], own[axis] * exp(grow * t[axis + 2])],
    shifts: (axis) => [center[axis] + t[axis] * unit[axis], t[axis + 2] * unit[axis]],
    "yolo-exp": (axis) => [center[axis] + stride * sigmoid(t[axis]), own[axis] * exp(t[axis + 2])],
    "yolo-square": (axis) => [center[axis] + stride * (2 * sigmoid(t[axis]) - 0.5), own[axis] * (2 * sigmoid(t[axis + 2])) ** 2],
    cells: (axis) => [center[axis] + stride * t[axis], stride * exp(t[axis + 2])],
  };
  const [x, y] = both(codings[head.coding]);
  return fromCenter([x[0], y[0]], [x[1], y[1]]);
}

function plainBox({ coding, unit }, given, [width, height]) {
  const sides = coding === "yx-corners" ? [height, width] : [width, height];
  const t = unit === "input" ? given.map((value, at) => value * sides[at % 2]) : given;
  if (coding === "corners") return t;
  if (coding === "yx-corners") return [t[1], t[0], t[3], t[2]];
  if (coding === "origin") return [t[0], t[1], t[0] + t[2], t[1] + t[3]];
  return fromCenter(t, t.slice(2));
}

function pointsOf(head, values, prior, size) {
  const { points, point_width: wide, point_scale: scale = 1 } = head;
  return Array.from({ length: points }, (_, index) => {
    const own = values.slice(index * wide, (index + 1) * wide);
    const place = (axis) => {
      const t = own[axis] * scale;
      if (!prior) return head.unit === "input" ? t * size[axis] : t;
      if (head.coding === "priors") return prior.center[axis] + head.variances[0] * t * prior.size[axis];
      if (head.coding === "shifts" || head.coding === "distances") return prior.center[axis] + t * unitOf(head, prior, size)[axis];
      return prior.center[axis] + t * prior.stride;
    };
    const [x, y] = !prior && head.coding === "yx-corners" ? [place(1), place(0)] : [place(0), place(1)];
    return wide === 3 ? [x, y, own[2]] : [x, y];
  });
}

// The width and the height that coded lengths are multiples of.
function unitOf({ unit }, { stride }, size) {
  if (unit === "strides") return [stride, stride];
  return unit === "input" ? size : [1, 1];
}

// The four distances of a distribution over `bins` each.
function expectations(t, bins = 1) {
  if (bins === 1) return t;
  return [0, 1, 2, 3].map((side) =>
    softmax(t.slice(side * bins, (side + 1) * bins)).reduce((sum, share, place) => sum + share * place, 0),
  );
}
