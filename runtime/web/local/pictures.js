// Pictures as the browser decodes and encodes them, with samples as Python's side has them.

import { Refusal } from "../page/refusal.js";

const MOST_PIXELS = 50_000_000;
const JPEG_QUALITY = 0.95;
const WRITTEN = ["image/png", "image/jpeg", "image/webp"];

// A picture is {width, height, channels, pixels, alpha}: `pixels` uint8 (height, width, channels), 1 for gray or 3 for
// RGB; `alpha` uint8 (height, width), null where all is opaque.

// The picture of a file, upright. The browser brings colours of a profile to sRGB.
export async function readPicture(file) {
  const rgba = await decode(file);
  if (isGray(new Uint8Array(await file.slice(0, 1 << 16).arrayBuffer()))) return fromRgba(rgba, 1);
  return fromRgba(rgba, 3);
}

// ImageData of a file.
async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Refusal(`${file.name || "the file"} is no picture that this browser can decode`, "Save it as PNG, JPEG or WebP.");
  }
  const { width, height } = bitmap;
  checkPixels(width, height, "the picture");
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

export function checkPixels(width, height, what) {
  if (width * height <= MOST_PIXELS) return;
  throw new Refusal(`${what} has ${width} × ${height} pixels, and ${MOST_PIXELS / 1e6} million is the most`, "Make it smaller.");
}

function fromRgba({ data, width, height }, channels) {
  const count = width * height;
  const pixels = new Uint8Array(count * channels);
  let alpha = null;
  for (let place = 0; place < count; place += 1) {
    for (let channel = 0; channel < channels; channel += 1) pixels[place * channels + channel] = data[place * 4 + channel];
    if (data[place * 4 + 3] < 255) {
      alpha ??= new Uint8Array(count).fill(255);
      alpha[place] = data[place * 4 + 3];
    }
  }
  return { width, height, channels, pixels, alpha };
}

// Whether the file itself is gray, by its beginning: a PNG's colour type, or the components of a JPEG's frame.
function isGray(bytes) {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return bytes[25] === 0 || bytes[25] === 4;
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9] === 1;
    at += 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return false;
}

// `picture` with what is transparent shown on white.
export function onWhite(picture) {
  const { width, height, channels, pixels, alpha } = picture;
  if (!alpha) return picture;
  const shown = pixels.map((sample, index) => {
    const share = alpha[Math.floor(index / channels)];
    return Math.floor((sample * share + 255 * (255 - share)) / 255 + 0.5);
  });
  return { width, height, channels, pixels: shown, alpha: null };
}

// White where a mask is lighter than middle gray, as uint8 0 or 1 (height, width); of another size it is stretched.
export async function readMask(file, width, height) {
  const { data, width: columns, height: rows } = await decode(file);
  if (Math.abs(Math.log((columns * height) / (rows * width))) > 0.05) {
    throw new Refusal(`the mask is ${columns} × ${rows} and the picture ${width} × ${height}: they do not belong together`);
  }
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const row = Math.floor(((y + 0.5) * rows) / height);
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (row * columns + Math.floor(((x + 0.5) * columns) / width));
      // Pillow's luma; what is transparent is black.
      const luma = (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
      mask[y * width + x] = (luma * data[at + 3]) / 255 > 127 ? 1 : 0;
    }
  }
  return mask;
}

// A picture as a file, in the type of the source where browsers write it, else as PNG. `quality` is of 100.
export async function encode({ width, height, channels, pixels, alpha }, { type, quality } = {}) {
  const image = new ImageData(width, height);
  for (let place = 0; place < width * height; place += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      image.data[place * 4 + channel] = pixels[place * channels + (channels === 1 ? 0 : channel)];
    }
    image.data[place * 4 + 3] = alpha ? alpha[place] : 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const fits = WRITTEN.includes(type) && !(alpha && type === "image/jpeg");
  return canvas.convertToBlob({ type: fits ? type : "image/png", quality: quality ? quality / 100 : JPEG_QUALITY });
}
