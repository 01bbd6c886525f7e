// Things told apart in a network's maps.

import { hills } from "./watershed.js";

// {ids, classes, scores}: the number of the thing, from 1, at the pixels that are seen, and each thing's class and score.
// They are told apart at the network's own pixels; their outer border is that of the foreground at the picture's.
export function findThings(head, maps, placement, threshold) {
  const { rows, columns } = Object.values(maps)[0];
  const { foreground, classes } = foregroundOf(head, maps);
  const landscape = (maps.distance?.planes[0] ?? foreground).slice();
  maps.boundary?.planes[0].forEach((value, at) => (landscape[at] -= value));
  const [left, top, right, bottom] = placement.box(columns, rows);
  const inside = foreground.map((value, at) => {
    const [x, y] = [at % columns, Math.floor(at / columns)];
    // What lies in the padding is no thing.
    const isSeen = x >= Math.floor(left) && x < Math.ceil(right) && y >= Math.floor(top) && y < Math.ceil(bottom);
    return isSeen && value >= threshold ? 1 : 0;
  });
  const labels = hills(landscape, inside, columns, rows, head.watershed);
  const things = summed(labels, foreground, classes);
  const border = placement.toPicture(foreground, columns, rows);
  const ids = placement.toPicture(grown(labels, columns, rows), columns, rows, false).map((id, at) => (border[at] >= threshold ? id : 0));
  return { ids, ...things };
}

// How sure it is that each pixel belongs to a thing, and the class it then is of.
function foregroundOf(head, maps) {
  if (!maps.scores) {
    if (maps.foreground) return { foreground: maps.foreground.planes[0], classes: null };
    const classes = maps.class.planes[0].map(Math.round);
    return { foreground: classes.map((index) => (index === head.background ? 0 : 1)), classes };
  }
  const background = maps.foreground ? 0 : head.background;
  const foreground = maps.foreground?.planes[0] ?? maps.scores.planes[background].map((share) => 1 - share);
  const classes = foreground.map((_, at) => {
    let best = background === 0 ? 1 : 0;
    maps.scores.planes.forEach((plane, index) => index !== background && plane[at] > maps.scores.planes[best][at] && (best = index));
    return best;
  });
  return { foreground, classes };
}

// Of each thing the mean of its foreground and the class that most of its pixels are of.
function summed(labels, foreground, classes) {
  const things = [];
  labels.forEach((label, at) => {
    if (!label) return;
    const thing = (things[label - 1] ??= { sum: 0, area: 0, votes: [] });
    thing.sum += foreground[at];
    thing.area += 1;
    const index = classes ? classes[at] : 1;
    thing.votes[index] = (thing.votes[index] ?? 0) + 1;
  });
  return {
    scores: things.map(({ sum, area }) => Math.min(Math.max(sum / area, 0), 1)),
    classes: things.map(({ votes }) => votes.findIndex((count) => count === Math.max(...votes.filter(Boolean)))),
  };
}

// Each thing one pixel larger where there is none: smoothed, its border reaches beyond its own pixels.
function grown(labels, width, height) {
  const result = labels.slice();
  for (const [down, right] of [[-1, 0], [1, 0], [0, -1], [0, 1], [-1, -1], [-1, 1], [1, -1], [1, 1]]) {
    for (let y = Math.max(0, -down); y < height - Math.max(0, down); y += 1) {
      for (let x = Math.max(0, -right); x < width - Math.max(0, right); x += 1) {
        if (!result[y * width + x]) result[y * width + x] = labels[(y + down) * width + x + right];
      }
    }
  }
  return result;
}
