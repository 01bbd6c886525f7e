// What was done since the page was opened; it is kept in the page only.

import { byId, make, words as named } from "./elements.js";

const MOST = 30;

export class History {
  #entries = [];

  // `open` is called with the entry that is chosen.
  constructor(open) {
    this.open = open;
  }

  // `picture` is what the small picture shows.
  add(entry, picture) {
    const clock = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const words = [make("span", {}, named(entry.task)), make("small", {}, clock)];
    const button = make("button", { type: "button", onclick: () => this.open(entry) }, thumbnail(picture), ...words);
    this.#entries.unshift({ entry, button });
    byId("history-list").prepend(make("li", {}, button));
    for (const { button: oldest } of this.#entries.splice(MOST)) oldest.parentElement.remove();
    byId("history").hidden = false;
    this.mark(entry);
  }

  // Says which of them is shown; null for none.
  mark(current) {
    for (const { entry, button } of this.#entries) button.setAttribute("aria-current", entry === current);
  }
}

// The picture's middle, filling a small one.
function thumbnail(picture) {
  const canvas = make("canvas", { width: 184, height: 132, "aria-hidden": "true" });
  if (!picture) return canvas;
  const scale = Math.max(canvas.width / picture.width, canvas.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  canvas.getContext("2d").drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  return canvas;
}
