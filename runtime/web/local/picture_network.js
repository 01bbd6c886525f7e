// A network that is given pictures as its metadata say how they become an input.

import { inColors, normalise, placement, resize } from "./preprocessing.js";

// Runs it: the outputs by name, the input's sides, and where the picture lies in it.
export async function runOnPicture(engine, { image, tile }, picture) {
  let colored = inColors(resize(picture, image), image.color);
  if (!image.size && tile) colored = framed(colored, tile, image.pad_value);
  const { width, height, channels } = colored;
  const outputs = await engine.run({ data: normalise(colored, image), shape: [1, channels, height, width] });
  const named = Object.fromEntries(outputs.map((output, index) => [engine.outputs[index].name, output]));
  return { outputs: named, width, height, place: placement(picture.width, picture.height, image) };
}

// The picture in the upper left corner of one whose sides the network takes.
function framed({ width, height, channels, pixels }, { multiple, minimum }, value) {
  const padded = (side) => Math.ceil(Math.max(side, minimum) / multiple) * multiple;
  const [columns, rows] = [padded(width), padded(height)];
  const canvas = new Uint8Array(columns * rows * channels).fill(value);
  for (let row = 0; row < height; row += 1) {
    canvas.set(pixels.subarray(row * width * channels, (row + 1) * width * channels), row * columns * channels);
  }
  return { width: columns, height: rows, channels, pixels: canvas, alpha: null };
}
