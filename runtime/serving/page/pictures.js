// Pictures that people bring: dropped, pasted or chosen.

import { byId } from "./elements.js";

// Calls `take` with a file, from wherever it comes.
export function acceptPictures(take) {
  const input = byId("picture-input");
  const stage = byId("stage");
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = "";
  });
  for (const id of ["choose-picture", "change-picture"]) byId(id).addEventListener("click", () => input.click());
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? stage.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
  });
}

// The picture as it is shown, upright; null where this browser cannot show it.
export async function decode(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

const ENDINGS = { jpeg: "jpg", "svg+xml": "svg", "x-icon": "ico" };

// A name for what became of the file `source`, in the format of `blob`.
export function resultName(source, task, blob) {
  const stem = source ? source.replace(/\.[^.]*$/, "") : "";
  const kind = blob.type.replace(/^[a-z]+\//, "");
  return `${stem ? `${stem}-` : ""}${task}.${ENDINGS[kind] ?? kind}`;
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
