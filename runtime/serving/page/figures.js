// What figures of quality are called among people, and their units.

const NAMES = {
  top1: ["Top-1", "%"],
  f1: ["F1", "%"],
  map50: ["mAP at 0.5", "%"],
  map: ["mAP", "%"],
  ap50: ["AP at 0.5", "%"],
  miou: ["mIoU", "%"],
  iou: ["IoU", "%"],
  matched50: ["Matched at 0.5", "%"],
  matched: ["Matched", "%"],
  nme: ["NME", "%"],
  psnr: ["PSNR", "dB"],
  ssim: ["SSIM", ""],
};

// Of a figure in a model's metadata, as val_iou_person: what it is called, and its value with its unit.
export function figureShown(name, value) {
  const figure = name.replace(/^val_/, "");
  const [first, ...rest] = figure.split("_");
  const [called, unit] = NAMES[first] ?? [figure.replaceAll("_", " "), ""];
  const which = NAMES[first] && rest.length ? `${called}, ${rest.join(" ")}` : called;
  return [figure === name ? which : `${which}, in training`, `${Number(value.toFixed(2))} ${unit}`.trimEnd()];
}
