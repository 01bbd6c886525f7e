// Things told apart by a landscape that is high in the middle of each: one label for each hill, by topological
// persistence (Chazal et al. 2013).

// The hill that each pixel lies on, 0 outside and on what is left out, 1 … in the order of their tops. Hills that stand
// less than `prominence` above the saddle to a higher one belong to that one. `inside` is 0 outside.
export function hills(landscape, inside, width, height, { prominence = 0.1, min_peak: least = 0, min_area: area = 0 }) {
  const order = [...landscape.keys()].filter((place) => inside[place]).sort((one, other) => landscape[other] - landscape[one] || one - other);
  const rank = new Int32Array(landscape.length).fill(-1);
  order.forEach((place, index) => (rank[place] = index));
  const beside = (index) => neighbours(order[index], width, height).flatMap((place) => (rank[place] < 0 ? [] : [rank[place]]));
  // The top of each pixel by steepest ascent: those above it come first.
  const tops = new Int32Array(order.length);
  order.forEach((_, index) => {
    const up = Math.min(index, ...beside(index));
    tops[index] = up === index ? index : tops[up];
  });
  const root = joined(tops, beside, (index) => landscape[order[index]], prominence);
  const areas = new Map();
  const own = tops.map((top) => root(top));
  own.forEach((top) => areas.set(top, (areas.get(top) ?? 0) + 1));
  const kept = [...areas].filter(([top, pixels]) => landscape[order[top]] >= least && pixels >= area).map(([top]) => top);
  const numbers = new Map(kept.sort((one, other) => one - other).map((top, index) => [top, index + 1]));
  const labels = new Int32Array(landscape.length);
  order.forEach((place, index) => (labels[place] = numbers.get(own[index]) ?? 0));
  return labels;
}

// What the top of a hill belongs to, once hills without prominence are joined, at the highest saddles first.
function joined(tops, beside, heightOf, prominence) {
  const parents = Int32Array.from(tops.keys());
  const root = (top) => {
    while (parents[top] !== top) {
      parents[top] = parents[parents[top]];
      top = parents[top];
    }
    return top;
  };
  // Pixels come from high to low, so that the first pair of neighbours of two hills is their saddle.
  const met = new Set();
  tops.forEach((top, index) => {
    for (const other of beside(index)) {
      if (other > index || tops[other] === top) continue;
      const pair = Math.min(top, tops[other]) * tops.length + Math.max(top, tops[other]);
      if (met.has(pair)) continue;
      met.add(pair);
      const [first, second] = [root(top), root(tops[other])].sort((one, another) => one - another);
      if (first !== second && heightOf(second) - heightOf(index) <= prominence) parents[second] = first;
    }
  });
  return root;
}

function neighbours(place, width, height) {
  const [x, y] = [place % width, Math.floor(place / width)];
  const found = [];
  for (let down = Math.max(y - 1, 0); down <= Math.min(y + 1, height - 1); down += 1) {
    for (let right = Math.max(x - 1, 0); right <= Math.min(x + 1, width - 1); right += 1) {
      if (down !== y || right !== x) found.push(down * width + right);
    }
  }
  return found;
}
