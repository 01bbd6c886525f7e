// Masks as COCO's run lengths: column by column, first what is not in the mask.

// Calls `visit` with the place of every pixel that is in the mask; the picture's pixels are counted row by row.
export function visitMask({ size: [height, width], counts }, visit) {
  let place = 0;
  lengths(counts).forEach((length, index) => {
    const end = place + length;
    if (index % 2 === 0) place = end;
    for (; place < end; place += 1) visit((place % height) * width + Math.floor(place / height));
  });
}

// `counts` as numbers: a list, or text with six bits a character, from the fourth on as differences to the one but last.
function lengths(counts) {
  if (typeof counts !== "string") return counts;
  const numbers = [];
  let number = 0;
  let shift = 0;
  for (const character of counts) {
    const bits = character.charCodeAt(0) - 48;
    number |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    if (bits & 16) number -= 2 ** shift;
    numbers.push(number + (numbers.length > 2 ? numbers.at(-2) : 0));
    number = shift = 0;
  }
  return numbers;
}
