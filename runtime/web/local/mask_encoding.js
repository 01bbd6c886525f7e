// Masks as COCO's run lengths: column by column, first what is not in the mask, six bits a character.

// {size, counts} of `mask`, which is not 0 inside, uint8 (height, width).
export function encodeMask(mask, width, height) {
  const counts = [];
  let [inside, length] = [false, 0];
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) {
      if (Boolean(mask[y * width + x]) === inside) length += 1;
      else {
        counts.push(length);
        [inside, length] = [!inside, 1];
      }
    }
  }
  counts.push(length);
  return { size: [height, width], counts: compressed(counts) };
}

// From the fourth on differences to the one but last.
function compressed(counts) {
  let text = "";
  counts.forEach((count, index) => {
    let number = index > 2 ? count - counts[index - 2] : count;
    for (let more = true; more; ) {
      const bits = number & 31;
      number >>= 5;
      more = number !== (bits & 16 ? -1 : 0);
      text += String.fromCharCode(48 + bits + (more ? 32 : 0));
    }
  });
  return text;
}
