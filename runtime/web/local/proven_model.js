// A model in the backend that is right here, and of two that are the faster one.

import { Refusal } from "../page/refusal.js";
import { ModelWorker } from "./model_worker.js";

const BACKENDS = ["wasm", "webgpu"];

export class ProvenModel {
  #site;
  #worker = null;
  #opening = null;

  // `told` is called with the rows of the proof whenever one has come: {backend, state, …}; see `rows`.
  constructor(site, model, told) {
    this.#site = site;
    this.model = model;
    this.told = told;
    // One row for each backend: {backend, used, reason, threads, sqnr_db, agreement, milliseconds, right}.
    this.rows = this.#known() ?? [];
  }

  // The worker that answers; the first time the samples are run in every backend that this browser has.
  async worker() {
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    this.#worker ??= await this.#opening;
    return this.#worker;
  }

  // Ends what runs; the next call opens the model again.
  abort() {
    this.#worker?.close();
    this.#worker = null;
  }

  get used() {
    return this.rows.find(({ used }) => used)?.backend ?? null;
  }

  async #open() {
    if (this.used) {
      this.told(this.rows);
      return ModelWorker.open(this.used, this.#site.address, this.model);
    }
    return this.#prove();
  }

  async #prove() {
    let best = null;
    this.rows = [];
    for (const backend of BACKENDS) {
      const row = { backend, used: false, reason: "", ...(await unavailable(backend)) };
      this.rows = [...this.rows, row];
      if (row.reason) continue;
      const began = performance.now();
      try {
        const worker = await ModelWorker.open(backend, this.#site.address, this.model);
        row.opened = performance.now() - began;
        Object.assign(row, { threads: worker.threads }, await worker.call("prove", { site: this.#site.address, model: this.model }));
        if (!row.right) row.reason = "computes something else";
        else if (best && best.row.milliseconds <= row.milliseconds) row.reason = "right, but slower";
        if (row.reason) worker.close();
        else {
          if (best) {
            best.worker.close();
            Object.assign(best.row, { used: false, reason: "right, but slower" });
          }
          row.used = true;
          best = { row, worker };
        }
      } catch (error) {
        row.reason = `does not run: ${error.message}`;
      }
      this.told(this.rows);
    }
    if (!best) throw new Refusal("this browser does not compute what the model computes", "See the proof, and try another browser.");
    this.#keep();
    this.told(this.rows);
    return best.worker;
  }

  // What was proved stays so until the site, the browser or its isolation is another.
  get #key() {
    return `edgevision ${this.#site.version} ${this.model.name} ${self.crossOriginIsolated} ${navigator.userAgent}`;
  }

  #known() {
    return JSON.parse(localStorage.getItem(this.#key));
  }

  #keep() {
    localStorage.setItem(this.#key, JSON.stringify(this.rows));
  }
}

// Why a backend cannot be tried in this browser.
async function unavailable(backend) {
  if (backend === "wasm") return {};
  if (!navigator.gpu) return { reason: "not in this browser" };
  if (!("Suspending" in WebAssembly)) return { reason: "this browser cannot wait in WebAssembly (JSPI)" };
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter ? {} : { reason: "no graphics processor" };
}
