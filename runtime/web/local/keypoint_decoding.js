// From the outputs of a network to points, in shares of its input's sides.

import { sigmoid, softmax } from "./activations.js";

// Of a side of the input: a point that is no farther from where it was found is near it.
const NEAR = 0.1;

// [x, y, score] of each point; `width` and `height` are the input's.
export function decodePoints(head, outputs, width, height) {
  const arrays = head.outputs.map((name) => outputs[name]);
  const decode = { points: regressed, simcc: byAxis, heatmaps: onMaps }[head.coding];
  const points = decode(head, arrays, width, height);
  if (!head.scores) return points;
  return points.map(([x, y], index) => [x, y, scoreOf(head, outputs[head.scores].data[index])]);
}

function scoreOf({ activation }, value) {
  return Math.min(Math.max(activation === "sigmoid" ? sigmoid(value) : value, 0), 1);
}

function regressed(head, [{ data }], width, height) {
  const { points, point_width: wide, unit } = head;
  const share = { pixels: (value, side) => value / side, centered: (value) => (value + 1) / 2 }[unit] ?? ((value) => value);
  return Array.from({ length: points }, (_, index) => {
    const [x, y, score] = data.subarray(index * wide, (index + 1) * wide);
    return [share(x, width), share(y, height), wide === 3 ? scoreOf(head, score) : 1];
  });
}

function byAxis(head, axes) {
  const [across, down] = axes.map(({ data }) => {
    const bins = data.length / head.points;
    return Array.from({ length: head.points }, (_, index) => {
      const line = data.subarray(index * bins, (index + 1) * bins);
      const peak = peakOf(line);
      return [shareOf(head, refined(head, line, peak), bins), peakScore(head, line, (bin) => isNear(head, bin, peak, bins))];
    });
  });
  return across.map(([x, one], index) => [x, down[index][0], Math.min(one, down[index][1])]);
}

function onMaps(head, [{ data, shape }]) {
  const [rows, columns] = head.channels_last ? shape.slice(-3, -1) : shape.slice(-2);
  const cells = rows * columns;
  const planes = data.length / cells;
  const plane = (index) =>
    head.channels_last ? Float32Array.from({ length: cells }, (_, cell) => data[cell * planes + index]) : data.subarray(index * cells, (index + 1) * cells);
  return Array.from({ length: head.points }, (_, index) => {
    const map = plane(index);
    const peak = peakOf(map);
    const [row, column] = [Math.floor(peak / columns), peak % columns];
    const near = (cell) => isNear(head, Math.floor(cell / columns), row, rows) && isNear(head, cell % columns, column, columns);
    const [x, y] = placeOnMap(head, map, { row, column, rows, columns }, (which) => plane(which * head.points + index)[peak]);
    return [shareOf(head, x, columns), shareOf(head, y, rows), peakScore(head, map, near)];
  });
}

function placeOnMap(head, map, { row, column, rows, columns }, offset) {
  if (head.refinement === "offsets") return [column + offset(1), row + offset(2)];
  if (head.refinement === "mean") {
    const shares = softmax(map);
    return shares.reduce(([x, y], share, cell) => [x + share * (cell % columns), y + share * Math.floor(cell / columns)], [0, 0]);
  }
  const along = map.subarray(row * columns, (row + 1) * columns);
  const down = Float32Array.from({ length: rows }, (_, index) => map[index * columns + column]);
  return [refined(head, along, column), refined(head, down, row)];
}

const peakOf = (values) => values.indexOf(values.reduce((most, value) => Math.max(most, value), -Infinity));

const shareOf = ({ cell_offset: offset = 0.5, beyond = 0 }, place, cells) => (place + offset - beyond) / (cells - 2 * beyond);

const isNear = ({ beyond = 0 }, cell, peak, cells) => Math.abs(cell - peak) <= NEAR * (cells - 2 * beyond);

// Of a distribution the part of it that is near the peak, else the peak.
function peakScore(head, values, near) {
  if (head.activation === "softmax") return softmax(values).reduce((sum, share, cell) => sum + (near(cell) ? share : 0), 0);
  return scoreOf(head, values.reduce((most, value) => Math.max(most, value), -Infinity));
}

// Where along a line the peak is, whose highest cell is `peak`.
function refined({ refinement }, line, peak) {
  if (refinement === "mean") return softmax(line).reduce((sum, share, cell) => sum + share * cell, 0);
  if (refinement === "none" || peak < 1 || peak > line.length - 2) return peak;
  const [before, here, after] = line.subarray(peak - 1, peak + 2);
  if (refinement === "quarter") return peak + 0.25 * Math.sign(after - before);
  const bend = 2 * here - before - after;
  return bend > 0 ? peak + Math.min(Math.max((0.5 * (after - before)) / bend, -0.5), 0.5) : peak;
}
