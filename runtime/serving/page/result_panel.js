// What came out, beside the picture: the answer in words, what to do with it, what ran where and how long.

import { legend } from "./answer.js";
import { byId, make, words } from "./elements.js";
import { css } from "./palette.js";

const MOST_ROWS = 500;

// `result` is an entry of the history; `onToggle` is called with a label of the legend and says whether it is shown.
// Of a camera's moving picture, which has no `onToggle`, only the legend is shown.
export function showResult(result, { onToggle, onDownload, onUse, onDocument }) {
  byId("result").hidden = false;
  byId("answer").replaceChildren(...answerParts(result, onToggle));
  const actions = [];
  if (result.blob) {
    actions.push(make("button", { type: "button", class: "primary", id: "download", onclick: onDownload }, "Download"));
    if (onUse) actions.push(make("button", { type: "button", id: "use-result", onclick: onUse }, "Go on with this"));
  }
  if (result.document) {
    const kind = result.blob ? "" : "primary";
    actions.push(make("button", { type: "button", class: kind, id: "download-json", onclick: onDocument }, "Download JSON"));
  }
  byId("actions").replaceChildren(...actions);
  showFacts(byId("run-facts"), runFacts(result));
  byId("timings").replaceChildren(...timingParts(result.stages));
}

export function hideResult() {
  byId("result").hidden = true;
}

export function showFacts(list, facts) {
  list.replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

export const milliseconds = (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`);

export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

// One line that says what came out, for the heading, for history and for those who do not see it.
export function headline({ task, answer, width, height, rate }) {
  const [best] = answer?.labels ?? [];
  if (best) return `${best.label}, ${percent(best.share)}`;
  const counts = answer ? legend(answer) : [];
  if (counts.length) return counts.map(({ label, count }) => `${count} ${label}`).join(", ");
  if (answer) return "Nothing found";
  return width ? `${words(task)}: ${width} × ${height} pixels` : words(task);
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function answerParts(result, onToggle) {
  const { answer } = result;
  if (answer?.labels.length) {
    const [best, ...others] = answer.labels;
    return [
      make("p", { class: "headline" }, best.label, " ", make("small", {}, percent(best.share))),
      others.length ? labelList(answer.labels) : null,
    ].filter(Boolean);
  }
  if (answer?.things.length) return [legendList(answer, onToggle), onToggle ? thingTable(answer) : null].filter(Boolean);
  return answer ? [make("p", { class: "headline" }, headline(result))] : [];
}

function labelList(labels) {
  const row = ({ label, share }) =>
    make(
      "li",
      {},
      make("span", {}, label),
      make("span", {}, percent(share)),
      make("meter", { min: 0, max: 1, value: share, "aria-label": label }),
    );
  return make("ul", { class: "labels" }, ...labels.map(row));
}

function legendList(answer, onToggle) {
  const entry = ({ label, color, count }) => {
    const swatch = make("canvas", { width: 14, height: 14, "aria-hidden": "true" });
    fillSwatch(swatch, color ? [color] : answer.things.slice(0, 4).map((thing) => thing.color));
    if (!onToggle) return make("li", {}, swatch, `${label} ${count}`);
    const toggle = (event) => event.currentTarget.setAttribute("aria-pressed", onToggle(label));
    const about = { type: "button", "aria-pressed": "true", title: "Show or hide", onclick: toggle };
    return make("li", {}, make("button", about, swatch, `${label} ${count}`));
  };
  return make("ul", { class: "legend", "aria-label": "Legend" }, ...legend(answer).map(entry));
}

function fillSwatch(canvas, colors) {
  const context = canvas.getContext("2d");
  colors.forEach((color, index) => {
    context.fillStyle = css(color);
    context.fillRect((index * canvas.width) / colors.length, 0, canvas.width, canvas.height);
  });
}

function thingTable({ things }) {
  const head = make("tr", {}, ...["Label", "Score", "Box"].map((name, index) => make("th", { scope: "col", class: index ? "number" : "" }, name)));
  const row = ({ label, score, box }) =>
    make(
      "tr",
      {},
      make("td", {}, label),
      make("td", { class: "number" }, score === undefined ? "" : score.toFixed(2)),
      make("td", { class: "number" }, box ? box.map((value) => Math.round(value)).join(", ") : ""),
    );
  const rows = things.slice(0, MOST_ROWS).map(row);
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  return make("div", { class: "found", tabindex: "0", role: "group", "aria-label": "What was found" }, table);
}

function runFacts({ model, provider, milliseconds: total, blob, sent, answer, width, height, rate }) {
  const facts = [];
  if (width) facts.push(["Picture", `${width} × ${height} pixels`]);
  if (model) facts.push(["Model", model]);
  if (provider) facts.push(["Ran on", provider]);
  if (rate) facts.push(["Frames a second", rate.toFixed(rate < 10 ? 1 : 0)]);
  facts.push([rate ? "From frame to answer" : "From click to answer", milliseconds(total)]);
  if (blob && !answer) facts.push(["File", sent ? `${bytes(blob.size)}, from ${bytes(sent)}` : bytes(blob.size)]);
  return facts;
}

function timingParts(stages) {
  if (stages.length < 2) return [];
  const longest = Math.max(...stages.map((stage) => stage.milliseconds));
  const bar = make("div", { class: "stages", "aria-hidden": "true" });
  for (const { milliseconds: part } of stages) {
    const piece = make("i", { class: part === longest ? "longest" : "" });
    piece.style.flexGrow = Math.max(part, longest / 100);
    bar.append(piece);
  }
  return [bar, make("p", {}, stages.map(({ name, milliseconds: part }) => `${name} ${milliseconds(part)}`).join(" · "))];
}
