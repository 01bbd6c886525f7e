// One model in one backend, beside the page, which stays at hand while it computes.

import { Engine } from "./engine.js";
import { prove } from "./proof.js";

let engine = null;
let metadata = null;
let task = null;

const CALLS = {
  // Opens the model in `backend`.
  async open({ backend, site, model }) {
    ({ metadata } = model);
    const opening = Engine.open({ backend, folder: new URL("runtime/", site), model: read(site, model.file), metadata });
    [engine, task] = await Promise.all([opening, import(`./tasks/${model.module}.js`)]);
    return { threads: engine.threads };
  },

  // Runs the samples that came with the model.
  async prove({ site, model }) {
    return prove(engine, model.parity, await read(site, model.parity.file));
  },

  // Does the task on `files` {image, mask} with the values of its options: {document} or {blob}, and the stages.
  async run({ files, values }) {
    const stages = [];
    let began = performance.now();
    const clock = (name) => {
      stages.push({ name, milliseconds: performance.now() - began });
      began = performance.now();
    };
    return { ...(await task.run({ engine, metadata, files, values, clock })), stages };
  },
};

async function read(site, file) {
  const response = await fetch(new URL(file, site));
  if (!response.ok) throw new Error(`${file} is not to be had: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

self.onmessage = async ({ data: { id, call, argument } }) => {
  try {
    self.postMessage({ id, value: await CALLS[call](argument) });
  } catch (error) {
    self.postMessage({ id, problem: { message: error.message || String(error), remedy: error.remedy ?? "" } });
  }
};
