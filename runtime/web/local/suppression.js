// Boxes that overlap: non-maximum suppression, and blending.

// The things that `found` are of, the highest score first: boxes that overlap by more than `iou` are the same thing, of
// different classes only where those are not told apart. With "blend" a thing is the mean of its boxes.
export function mergeOverlapping(found, { iou, most, classWise, merge }) {
  const groups = [];
  for (const thing of found.toSorted((one, other) => other.score - one.score)) {
    const own = groups.find(([first]) => (!classWise || first.class === thing.class) && overlap(first.box, thing.box, iou));
    if (own) own.push(thing);
    else if (groups.length < most) groups.push([thing]);
  }
  return merge === "blend" ? groups.map(blended) : groups.map(([first]) => first);
}

function overlap(one, other, iou) {
  const shared = (axis) => Math.max(Math.min(one[axis + 2], other[axis + 2]) - Math.max(one[axis], other[axis]), 0);
  const both = shared(0) * shared(1);
  return both > iou * (area(one) + area(other) - both);
}

const area = ([left, top, right, bottom]) => Math.max(right - left, 0) * Math.max(bottom - top, 0);

function blended(group) {
  const sum = group.reduce((total, { score }) => total + score, 0);
  const mean = (read) => group.reduce((total, thing) => total + (thing.score / Math.max(sum, 1e-12)) * read(thing), 0);
  const [first] = group;
  return {
    ...first,
    score: sum / group.length,
    box: first.box.map((_, side) => mean(({ box }) => box[side])),
    points: first.points?.map((point, index) => point.map((_, axis) => mean(({ points }) => points[index][axis]))) ?? null,
  };
}
