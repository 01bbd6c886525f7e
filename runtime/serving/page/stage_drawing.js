// What the stage draws: a picture where the viewport has it, what it was before, the mask over it and the brush.

const HANDLE = 18;
const PIXELS_SHOW_FROM = 4;
const MASK_STRENGTH = 0.6;

export function drawPicture(context, { left, top, scale, picture }, bitmap) {
  context.imageSmoothingEnabled = scale < PIXELS_SHOW_FROM;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, picture.width * scale, picture.height * scale);
}

// `bitmap` to the left of `x`, and the line there with its handle, in the accent's colour where it has the focus.
export function drawBefore(context, viewport, bitmap, x, focused) {
  const { left, top, scale, picture, stage } = viewport;
  context.save();
  context.beginPath();
  context.rect(0, 0, x, stage.height);
  context.clip();
  // Behind what is transparent in it, what it became must not show.
  context.clearRect(left, top, picture.width * scale, picture.height * scale);
  drawPicture(context, viewport, bitmap);
  context.restore();
  for (const [width, style] of [
    [4, "rgb(0 0 0 / .4)"],
    [2, "#fff"],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, stage.height);
    context.stroke();
  }
  drawHandle(context, x, stage.height / 2, focused);
}

function drawHandle(context, x, y, focused) {
  const color = (name) => getComputedStyle(context.canvas).getPropertyValue(name);
  context.save();
  context.shadowColor = "rgb(0 0 0 / .4)";
  context.shadowBlur = 6;
  context.fillStyle = focused ? color("--accent") : "#fff";
  context.beginPath();
  context.arc(x, y, HANDLE, 0, 2 * Math.PI);
  context.fill();
  context.restore();
  context.strokeStyle = focused ? color("--on-accent") : "#15201e";
  context.lineWidth = 2;
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(x + side * 4, y - 5);
    context.lineTo(x + side * 9, y);
    context.lineTo(x + side * 4, y + 5);
  }
  context.stroke();
}

export function drawMask(context, { left, top, scale, picture }, mask) {
  context.globalAlpha = MASK_STRENGTH;
  context.drawImage(mask.canvas, left, top, picture.width * scale, picture.height * scale);
  context.globalAlpha = 1;
}

// A ring of the brush's size, in pixels of the stage; dashed for an eraser.
export function drawBrush(context, { x, y }, size, erases) {
  context.setLineDash(erases ? [4, 3] : []);
  for (const [width, style] of [
    [3, "rgb(0 0 0 / .55)"],
    [1.5, "#fff"],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    context.arc(x, y, Math.max(size / 2, 1.5), 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}
