// The page: a picture, a task, and what comes out.

import { readAnswer } from "./answer.js";
import { runTask } from "./backend.js";
import { CameraView } from "./camera.js";
import { Chooser } from "./chooser.js";
import { byId, words } from "./elements.js";
import { History } from "./history.js";
import { Mask } from "./mask.js";
import { acceptPictures, decode, download, resultName } from "./pictures.js";
import { Refusal } from "./refusal.js";
import { headline, hideResult, showResult } from "./result_panel.js";
import { Stage } from "./stage.js";
import { connectTools } from "./tools.js";

const stage = new Stage(byId("canvas"), byId("slider"));
const chooser = new Chooser();
const history = new History(restore);
const camera = new CameraView(stage, chooser, { showProblem, hideProblem });
const tools = connectTools(stage);

// `source` is {file, bitmap, mask}: the picture, as the browser shows it (or null), and what is painted on it.
let source = null;
// What is shown of the last run, and how to end the one that is under way.
let result = null;
let running = null;

// Whether the backend has said what there is; what people do before waits for it.
const opened = chooser.open().then(
  () => true,
  (error) => showProblem(error.message, error.remedy),
);

acceptPictures(async (file) => {
  if (!(await opened)) return;
  if (camera.isOpen) selectTab("picture");
  await open(file);
});

async function open(file) {
  running?.abort();
  hideProblem();
  const bitmap = await decode(file);
  source = { file, bitmap, mask: bitmap && new Mask(bitmap) };
  if (bitmap) tools.sizeBrush(bitmap);
  result = null;
  if (!chooser.task.inputs.length) chooser.choose(chooser.tasks.find(({ inputs }) => inputs.length).name);
  showWork();
  byId("stage").scrollIntoView({ block: "nearest" });
  if (paints()) byId("canvas").focus({ preventScroll: true });
  say(`${file.name || "The picture"} is open.`);
}

const paints = () => chooser.task.inputs.includes("mask");
const draws = () => !chooser.task.inputs.length;

// The stage before a run: the picture, to be painted on where the task fills what is marked.
function showWork() {
  const shown = !draws() && source;
  byId("empty").hidden = Boolean(shown) || draws();
  byId("drawing-empty").hidden = !draws();
  showUnseen(shown && !source.bitmap ? source.file : null);
  if (!shown?.bitmap) stage.clear();
  else if (paints()) stage.showMask(source.bitmap, source.mask);
  else stage.showPicture(source.bitmap, `The picture ${source.file.name ?? ""}`);
  tools.show({ painting: shown?.bitmap && paints() ? source.mask : null, picture: Boolean(shown), result: Boolean(result) });
  if (!result) hideResult();
  history.mark(result);
  showHint();
}

function showUnseen(file) {
  byId("unseen").hidden = !file;
  byId("unseen-name").textContent = file ? file.name || "A picture" : "";
}

// What is missing before it can run, in words.
function missing() {
  if (draws()) return "";
  if (!source) return "Choose a picture first.";
  if (chooser.needsMask && source.mask?.isEmpty) return "Paint over what is to be filled.";
  return "";
}

// What may be left out, where nothing says yet what is meant.
function advice() {
  if (!source?.mask?.isEmpty || !chooser.takesMask) return "";
  return "Paint over what is meant, or name it under Options.";
}

function showHint(text = missing() || advice()) {
  byId("run-hint").textContent = text;
  byId("run").setAttribute("aria-disabled", Boolean(missing()) && !running);
  byId("run").textContent = running ? "Cancel" : "Run";
}

byId("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!chooser.task) return;
  if (running) running.abort();
  else if (!missing()) run();
  else if (!source) byId("choose-picture").focus();
  else byId("canvas").focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("controls").requestSubmit();
});

async function run() {
  const fields = chooser.fields();
  if (!fields) return;
  hideProblem();
  const { task } = chooser;
  const used = draws() ? null : source;
  running = new AbortController();
  const ticking = showBusy();
  try {
    const files = {};
    if (used) files.image = used.file;
    if (used?.mask && chooser.takesMask && !used.mask.isEmpty) files.mask = await used.mask.toBlob();
    const answer = await runTask(task.name, { files, fields, wants: task.answer, signal: running.signal });
    await present(await described(answer, task.name, used));
    history.add(result, result.after ?? used?.bitmap);
    byId("stage").scrollIntoView({ block: "nearest" });
    say(`${words(task.name)} is done: ${headline(result)}.`);
  } catch (error) {
    if (error.name === "AbortError") say("Cancelled.");
    else if (error instanceof Refusal) showProblem(error.message, error.remedy);
    else throw error;
  } finally {
    running = null;
    clearInterval(ticking);
    byId("busy").hidden = true;
    showHint();
  }
}

// An entry of the history: what was sent, what came back, and how it is named.
async function described({ name, ...answer }, task, used) {
  const found = answer.document && readAnswer(answer.document, await chooser.specification(answer.model ?? undefined));
  return {
    ...answer,
    task,
    source: used,
    sent: used?.file.size,
    answer: found,
    name: name ?? (answer.blob ? resultName(used?.file.name, task, answer.blob) : null),
  };
}

// Shows the entry on the stage and beside it.
async function present(entry) {
  result = entry;
  const { blob, answer, source: used } = entry;
  // Pictures are decoded when they are looked at: of many large ones only the files are kept.
  const after = answer ? null : await decode(blob);
  Object.assign(entry, { after, width: after?.width, height: after?.height });
  for (const id of ["empty", "drawing-empty"]) byId(id).hidden = true;
  showUnseen(after || (answer && used.bitmap) ? null : (used?.file ?? blob));
  if (answer && used.bitmap) stage.showAnswer(used.bitmap, answer, headline(entry));
  else if (after && used?.bitmap) stage.showComparison(used.bitmap, after, `Before and after. ${headline(entry)}`);
  else if (after) stage.showPicture(after, headline(entry));
  else stage.clear();
  tools.show({ painting: null, picture: Boolean(after || used), result: paints(), replaceable: Boolean(used) });
  history.mark(entry);
  showResult(entry, {
    onToggle: (label) => stage.toggleLabel(label),
    onDownload: () => download(blob, entry.name),
    onUse: after && used ? () => open(new File([blob], entry.name, { type: blob.type })) : null,
    onDocument: () => download(jsonFile(entry.document), resultName(used?.file.name, entry.task, jsonFile({}))),
  });
  showHint();
}

const jsonFile = (document) => new Blob([JSON.stringify(document, null, 2)], { type: "application/json" });

// An entry of the history as it was, its picture and its mask with it.
async function restore(entry) {
  running?.abort();
  if (camera.isOpen) selectTab("picture");
  hideProblem();
  source = entry.source ?? source;
  chooser.choose(entry.task, entry.model);
  await present(entry);
}

chooser.addEventListener("change", () => {
  running?.abort();
  result = null;
  if (camera.isOpen) camera.restart();
  else showWork();
});
chooser.addEventListener("options", () => (camera.isOpen ? camera.restart() : showHint()));
tools.addEventListener("show-mask", showWork);
tools.addEventListener("show-result", () => result && present(result));
tools.addEventListener("mask", () => showHint());

// Busy, wrong, said.

function showBusy() {
  const began = performance.now();
  byId("busy").hidden = false;
  showHint("Working …");
  say("Working.");
  return setInterval(() => showHint(`Working … ${Math.round((performance.now() - began) / 1000)} s`), 1000);
}

function showProblem(message, remedy = "") {
  byId("problem-text").textContent = message;
  byId("problem-remedy").textContent = remedy;
  byId("problem").hidden = false;
  byId("problem").scrollIntoView({ block: "nearest" });
}

function hideProblem() {
  byId("problem").hidden = true;
}

function say(text) {
  byId("status").textContent = text;
}

// The two tabs.

const tabs = [byId("tab-picture"), byId("tab-camera")];
tabs.forEach((tab, index) => {
  tab.addEventListener("click", async () => (await opened) && selectTab(tab.id.slice("tab-".length)));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    tabs[1 - index].focus();
    tabs[1 - index].click();
  });
});

function selectTab(name) {
  for (const tab of tabs) {
    const selected = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
  }
  byId("workspace").setAttribute("aria-labelledby", `tab-${name}`);
  hideProblem();
  const live = name === "camera";
  byId("run").hidden = byId("run-hint").hidden = live;
  if (live) {
    result = null;
    running?.abort();
    hideResult();
    history.mark(null);
    for (const id of ["empty", "drawing-empty", "unseen"]) byId(id).hidden = true;
    stage.clear();
    tools.show({ painting: null, picture: false, result: false });
    camera.open();
  } else {
    camera.close();
    chooser.limit(() => true);
    showWork();
  }
}
