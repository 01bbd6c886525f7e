// The guided filter: a map takes over the edges of a picture (He, Sun & Tang, "Guided Image Filtering", ECCV 2010).

import { resample } from "./resampling.js";

// {slopes, offset}, each a map of the same sides, by which gray samples in 0..1 give `source`: the means of the fits in all
// windows that hold a place. A window reaches `radius` to each side; one whose variance is below `epsilon` counts as flat.
export function linearFits(source, guide, { width, height, radius, epsilon }) {
  const mean = (values) => boxMean(values, width, height, radius);
  const [meanSource, meanGuide] = [mean(source), mean(guide)];
  const together = mean(guide.map((value, at) => value * source[at]));
  const squares = mean(guide.map((value) => value * value));
  const slopes = together.map((value, at) => (value - meanSource[at] * meanGuide[at]) / (squares[at] - meanGuide[at] ** 2 + epsilon));
  const offset = meanSource.map((value, at) => value - slopes[at] * meanGuide[at]);
  const map = (values) => ({ width, height, channels: 1, pixels: Float32Array.from(mean(values)) });
  return { slopes: map(slopes), offset: map(offset) };
}

// The filtered map of a gray picture of any sides, `guide` in 0..1.
export function applyFits({ slopes, offset }, guide, width, height) {
  const atSize = (map) => resample(map, width, height, "bilinear").pixels;
  const [wide, filtered] = [atSize(slopes), atSize(offset)];
  for (let at = 0; at < filtered.length; at += 1) filtered[at] += Math.fround(wide[at] * guide[at]);
  return filtered;
}

// The mean of the windows round each place, of what of them is inside.
function boxMean(values, width, height, radius) {
  const across = new Float64Array(width * height);
  for (let y = 0; y < height; y += 1) meanAlong(values, across, y * width, 1, width, radius);
  const result = new Float64Array(width * height);
  for (let x = 0; x < width; x += 1) meanAlong(across, result, x, width, height, radius);
  return result;
}

function meanAlong(values, target, start, step, length, radius) {
  const sums = new Float64Array(length + 1);
  for (let place = 0; place < length; place += 1) sums[place + 1] = sums[place] + values[start + place * step];
  for (let place = 0; place < length; place += 1) {
    const [first, stop] = [Math.max(place - radius, 0), Math.min(place + radius + 1, length)];
    target[start + place * step] = (sums[stop] - sums[first]) / (stop - first);
  }
}
