// Boxes, masks, points and labels over a picture; lines and letters keep their size however far it is zoomed.

import { css, inkOn } from "./palette.js";
import { visitMask } from "./run_lengths.js";

const LABEL_HEIGHT = 18;
const TINT = 0.45;
const VISIBLE = 0.5;

// `bitmap` is what `maskLayer` made; `hidden` are labels that are not shown.
export function drawAnswer(context, viewport, answer, { layer, hidden }) {
  const things = answer.things.filter(({ label }) => !hidden.has(label));
  const at = ([x, y]) => [viewport.left + x * viewport.scale, viewport.top + y * viewport.scale];
  if (layer) {
    const { left, top, scale } = viewport;
    context.drawImage(layer, left, top, answer.width * scale, answer.height * scale);
  }
  const boxed = things.filter(({ box, mask, points }) => box && !mask && (!points || things.length > 1));
  for (const thing of boxed.toReversed()) drawBox(context, at, thing);
  for (const thing of things) if (thing.points) drawPoints(context, at, thing, answer.lines);
  const named = things.filter(({ box, points }) => box && (!points || things.length > 1));
  const taken = [];
  for (const thing of named) drawLabel(context, at, thing, taken);
}

// All masks as one picture: tinted, with their outlines; `null` where nothing has a mask.
export function maskLayer(answer, hidden) {
  const things = answer.things.filter(({ mask }) => mask);
  if (!things.length) return null;
  const [height, width] = things[0].mask.size;
  const owners = new Uint16Array(width * height);
  things.forEach(({ mask, label }, index) => {
    if (!hidden.has(label)) visitMask(mask, (place) => (owners[place] = index + 1));
  });
  const pixels = new ImageData(width, height);
  for (let place = 0; place < owners.length; place += 1) {
    const owner = owners[place];
    if (!owner) continue;
    const x = place % width;
    const outline =
      (x > 0 && owners[place - 1] !== owner) ||
      (x < width - 1 && owners[place + 1] !== owner) ||
      (place >= width && owners[place - width] !== owner) ||
      (place + width < owners.length && owners[place + width] !== owner);
    pixels.data.set(things[owner - 1].color, place * 4);
    pixels.data[place * 4 + 3] = 255 * (outline ? 1 : TINT);
  }
  const layer = new OffscreenCanvas(width, height);
  layer.getContext("2d").putImageData(pixels, 0, 0);
  return layer;
}

function drawBox(context, at, { box, color }) {
  const [left, top] = at(box);
  const [right, bottom] = at(box.slice(2));
  for (const [width, style] of [
    [4, "rgb(0 0 0 / .35)"],
    [2, css(color)],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.strokeRect(left, top, right - left, bottom - top);
  }
}

function drawPoints(context, at, { points, pointColors }, lines) {
  const seen = (index) => (points[index]?.[2] ?? 1) >= VISIBLE || points.every((point) => (point[2] ?? 1) < VISIBLE);
  context.lineWidth = 2;
  for (const [one, other] of lines) {
    if (!seen(one) || !seen(other)) continue;
    context.strokeStyle = css(pointColors[other]);
    context.beginPath();
    context.moveTo(...at(points[one]));
    context.lineTo(...at(points[other]));
    context.stroke();
  }
  points.forEach((point, index) => {
    if (!seen(index)) return;
    context.fillStyle = css(pointColors[index]);
    context.strokeStyle = "rgb(0 0 0 / .6)";
    context.lineWidth = 1;
    context.beginPath();
    context.arc(...at(point), 3, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  });
}

// The first come are the best; a label that would hide one of them is left out.
function drawLabel(context, at, { box, label, score, color }, taken) {
  const text = score === undefined ? label : `${label} ${Math.round(100 * score)}`;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  const [left, top] = at(box);
  const width = context.measureText(text).width + 10;
  const above = top >= LABEL_HEIGHT ? top - LABEL_HEIGHT : top;
  if (taken.some((other) => Math.abs(other.top - above) < LABEL_HEIGHT && left < other.right && other.left < left + width)) return;
  taken.push({ left, right: left + width, top: above });
  context.fillStyle = css(color);
  context.fillRect(left - 1, above, width, LABEL_HEIGHT);
  context.fillStyle = inkOn(color);
  context.fillText(text, left + 4, above + LABEL_HEIGHT / 2 + 0.5);
}
