// From the outputs of a detector to rows: one for each place where a box could be.

import { Refusal } from "../page/refusal.js";

const PRIORLESS = ["corners", "yx-corners", "center", "origin"];
export const hasPriors = ({ coding }) => !PRIORLESS.includes(coding);
export const perCell = ({ anchors = [] }) => anchors.length || 1;
export const gridSize = ({ stride }, height, width) => [Math.ceil(height / stride), Math.ceil(width / stride)];

// {count, read}: how many rows there are, and `read(field, row)`, the numbers of a field in one of them.
export function gatherRows(head, outputs) {
  const fields = {};
  let answers = Infinity;
  for (const part of head.parts) {
    if (part.fields.length === 1 && part.fields[0] === "count") {
      [answers] = outputs[part.outputs[0]].data;
      continue;
    }
    const tables = part.outputs.map((name, index) => table(part, outputs[name], levelOf(head, part, index), head.anchors_last));
    const rows = tables.flatMap(({ count, at }) => Array.from({ length: count }, (_, row) => [at, row]));
    const { width } = tables[0];
    const known = part.fields.reduce((sum, field) => sum + (field === "scores" ? 0 : fieldWidth(head, field)), 0);
    let start = 0;
    for (const field of part.fields) {
      const wide = field === "scores" ? width - known : fieldWidth(head, field);
      fields[field] = { start, wide, rows };
      start += wide;
    }
  }
  const counts = Object.values(fields).map(({ rows }) => rows.length);
  if (new Set(counts).size !== 1) throw new Refusal("the model's outputs have different numbers of rows");
  const read = (field, row) => {
    const { start, wide, rows } = fields[field];
    const [at, own] = rows[row];
    return Array.from({ length: wide }, (_, index) => at(own, start + index));
  };
  return { count: Math.min(counts[0], answers), has: (field) => field in fields, read };
}

function fieldWidth({ bins = 1, points = 0, point_width: wide = 2, coefficients = 0 }, field) {
  if (field === "box") return 4 * bins;
  if (field === "points") return points * wide;
  if (field === "coefficients") return coefficients;
  return field === "offset" || field === "size" ? 2 : 1;
}

// The level that one output of several is of.
function levelOf(head, part, index) {
  return hasPriors(head) || part.outputs.length > 1 ? (head.levels?.[index] ?? {}) : {};
}

// {count, width, at(row, column)} of an output, however its rows lie in it.
function table({ arrangement, fields }, { data, shape }, level, anchorsLast) {
  const sides = shape.length > 1 && shape[0] === 1 ? shape.slice(1) : shape;
  if (arrangement === "rows") {
    const alone = fields.length === 1 && sides.length === 1;
    const [count, width] = alone || sides.length < 2 ? [data.length, 1] : sides.slice(-2);
    return { count, width, at: (row, column) => data[row * width + column] };
  }
  if (arrangement === "columns") {
    const [width, count] = sides.slice(-2);
    return { count, width, at: (row, column) => data[column * count + row] };
  }
  return mapTable(arrangement, data, sides, perCell(level), anchorsLast);
}

// A map of one level, cell by cell, or anchor by anchor as the head has it.
function mapTable(arrangement, data, sides, anchors, anchorsLast) {
  const last = arrangement === "nhwc";
  const [rows, columns] = last ? sides.slice(0, 2) : sides.slice(-3 + (arrangement === "anchors" ? 0 : 1)).slice(0, 2);
  const cells = rows * columns;
  const width = arrangement === "anchors" ? sides[3] : (last ? sides[2] : sides[0]) / anchors;
  const at = (row, column) => {
    const anchor = anchorsLast ? row % anchors : Math.floor(row / cells);
    const cell = anchorsLast ? Math.floor(row / anchors) : row % cells;
    if (arrangement === "anchors") return data[(anchor * cells + cell) * width + column];
    const channel = anchor * width + column;
    return last ? data[cell * width * anchors + channel] : data[channel * cells + cell];
  };
  return { count: cells * anchors, width, at };
}
