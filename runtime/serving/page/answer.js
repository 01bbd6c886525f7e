// What a model says of a picture, from the server's JSON, whatever the task is.

import { classColor } from "./palette.js";

// labels: [{label, share}] of the whole picture; things: [{label, color, score, box, mask, points}] in it.
// `specification` is the task's own part of the model's metadata.
export function readAnswer({ results: [found] }, specification = {}) {
  const lists = Object.values(found).filter((value) => Array.isArray(value) && value[0]?.label !== undefined);
  const rows = lists.flat();
  const labels = rows.filter((row) => row.probability !== undefined);
  return {
    width: found.width,
    height: found.height,
    labels: labels.map(({ label, probability }) => ({ label, share: probability })),
    things: withColors(rows.filter((row) => row.box || row.mask || row.points), specification),
    lines: specification.skeleton ?? [],
  };
}

function withColors(rows, { labels = [], skeleton = [], swaps = [] }) {
  const names = [...new Set(rows.map((row) => row.label))];
  const number = (row) => row.class ?? Math.max(labels.indexOf(row.label), names.indexOf(row.label));
  // Things of the only class are told apart by their colours, where a mask shows whose is what.
  const apart = names.length < 2 && labels.length < 3 && rows.some((row) => row.mask);
  return rows.map((row, index) => ({
    ...row,
    color: classColor(apart ? index : number(row)),
    pointColors: row.points ? pointColors(row.points.length, skeleton, swaps) : [],
  }));
}

// Points of one part of the skeleton have one colour; where it is in one part, the middle and the two sides have.
function pointColors(count, skeleton, swaps) {
  const part = Array.from({ length: count }, (_, index) => index);
  for (const [one, other] of skeleton) {
    const [before, after] = [part[one], part[other]];
    part.forEach((own, index) => {
      if (own === before) part[index] = after;
    });
  }
  const joined = new Set(skeleton.flat().map((end) => part[end]));
  if (joined.size > 1) {
    const parts = [...new Set(part)];
    return part.map((own) => classColor(parts.indexOf(own)));
  }
  const colors = Array(count).fill(0);
  for (const [one, other] of swaps) {
    colors[one] = 1;
    colors[other] = 5;
  }
  return colors.map(classColor);
}

// One entry for each label: {label, color, count}, the most frequent first.
export function legend({ things }) {
  const entries = new Map();
  for (const { label, color } of things) {
    const entry = entries.get(label) ?? { label, colors: new Set(), color, count: 0 };
    entry.count += 1;
    entry.colors.add(String(color));
    entries.set(label, entry);
  }
  return [...entries.values()]
    .map(({ label, color, colors, count }) => ({ label, color: colors.size > 1 ? null : color, count }))
    .sort((one, other) => other.count - one.count);
}
