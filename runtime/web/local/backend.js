// What answers the page: models that run in this browser.

import { defaultModel, firstTask } from "../page/first_choice.js";
import { Refusal } from "../page/refusal.js";
import { keepSite, openSite } from "./isolation.js";
import { showProof } from "./proof_panel.js";
import { ProvenModel } from "./proven_model.js";

// What has no answer until then waits.
const opened = openSite();
const models = new Map();
let prepared = null;

// What the page will choose first is opened while the page itself still comes; what takes time has to wait for that.
opened
  .then(({ tasks, models: all }) => provenModel(defaultModel(all, firstTask(tasks).name).name))
  .then(async (proven) => {
    await proven.worker().catch(() => {});
    performance.mark("edgevision: the first model is open");
    const rows = await proven.proof();
    await keepSite(rows.some(({ backend, samples }) => backend === "webgpu" && samples));
  });

export const readTasks = async () => (await opened).tasks;

export const readModels = async () => (await opened).models;

export const readModel = async (name) => modelOf(await opened, name);

// Opens a model before it is asked, and proves it.
export async function prepare(name) {
  prepared = name;
  const proven = await provenModel(name);
  for (const other of models.values()) if (other !== proven) other.rest();
  showProof(proven.model, proven.rows);
  // What goes wrong is in the proof, and said when somebody asks.
  await proven.worker().catch(() => {});
}

// Runs `task` on `files` ({image, mask}): as the server's.
export async function runTask(task, { files, fields, signal }) {
  const site = await opened;
  const given = Object.fromEntries(fields);
  const name = given.model ?? site.models.find((model) => model.task === task)?.name;
  const began = performance.now();
  const proven = await provenModel(name);
  const abort = () => proven.abort();
  signal.addEventListener("abort", abort);
  try {
    const worker = await proven.worker();
    signal.throwIfAborted();
    const values = optionValues(site.tasks.find((each) => each.name === task).options, given);
    const answer = await worker.call("run", { files, values });
    const document = answer.document && { results: [answer.document] };
    return {
      blob: null,
      ...answer,
      document: document ?? null,
      name: null,
      model: name,
      provider: placeOf(worker),
      milliseconds: performance.now() - began,
    };
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

// A stream of pictures through `task`: {send, close}; as the server's.
export function openStream(task, fields, { opened: begin, answered, ended }) {
  const control = new AbortController();
  queueMicrotask(begin);
  return {
    send: async (picture) => {
      try {
        answered(await runTask(task, { files: { image: picture }, fields, signal: control.signal }));
      } catch (error) {
        if (error instanceof Refusal) ended(error);
        else if (error.name !== "AbortError") throw error;
      }
    },
    close: () => control.abort(),
  };
}

async function provenModel(name) {
  const site = await opened;
  if (!models.has(name)) {
    const model = modelOf(site, name);
    models.set(name, new ProvenModel(site, model, (rows) => name === prepared && showProof(model, rows)));
  }
  return models.get(name);
}

function modelOf(site, name) {
  const model = site.models.find((each) => each.name === name);
  if (!model) throw new Refusal(`there is no model ${name} here`);
  return model;
}

// The values of all options: numbers and truth values, not their texts; null where there is none.
function optionValues(options, given) {
  const parse = { integer: Number, number: Number, boolean: (text) => text === "true", string: String, array: (text) => [text] };
  return Object.fromEntries(
    options.map(({ name, type, default: preset }) => [name, name in given ? parse[type](given[name]) : preset]),
  );
}

const placeOf = ({ backend, threads }) =>
  backend === "webgpu" ? "WebGPU, in this browser" : `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}, in this browser`;
