// What generators make their pictures from.

import { Random } from "./random.js";

// float32 of sample `index` of `seed`, `count` numbers; those further from zero than `truncation` are drawn again.
export function drawLatent({ distribution }, count, seed, index, truncation) {
  const random = new Random(seed, index);
  if (distribution === "uniform") {
    const reach = Math.min(1, truncation ?? 1);
    return Float32Array.from({ length: count }, () => -reach + 2 * reach * random.double());
  }
  const values = Float32Array.from({ length: count }, () => random.normal());
  const isOutside = (value) => Math.abs(value) > truncation;
  if (truncation === null) return values;
  while (values.some(isOutside)) {
    for (let at = 0; at < count; at += 1) if (isOutside(values[at])) values[at] = random.normal();
  }
  return values;
}

// `count` latents from `start` to `end`, on the arc between them (White 2016).
export function interpolate(start, end, count) {
  const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);
  const lengths = Math.sqrt(dot(start, start)) * Math.sqrt(dot(end, end));
  const angle = Math.acos(Math.min(Math.max(dot(start, end) / Math.max(lengths, 1e-12), -1), 1));
  const straight = Math.sin(angle) < 1e-6;
  return Array.from({ length: count }, (_, index) => {
    const place = index / (count - 1);
    const share = (part) => (straight ? part : Math.sin(part * angle) / Math.sin(angle));
    const [from, to] = [share(1 - place), share(place)];
    return start.map((value, at) => from * value + to * end[at]);
  });
}
