// A model in the backend that is right here, and of two that are the faster one.

import { Refusal } from "../page/refusal.js";
import { ModelWorker } from "./model_worker.js";

const BACKENDS = ["wasm", "webgpu"];
const SLOWER = "right, but slower";

export class ProvenModel {
  #site;
  #worker = null;
  #opening = null;
  #found = null;

  // `told` is called with the rows of the proof whenever one has come: see `rows`.
  constructor(site, model, told) {
    this.#site = site;
    this.model = model;
    this.told = told;
    // One row for each backend: {backend, used, reason, threads, sqnr_db, samples, agreement,
    // milliseconds, right}.
    this.rows = this.#known() ?? [];
  }

  // The worker that answers: as soon as one backend is right. Where another turns out to be faster it takes over.
  async worker() {
    if (!this.#worker) {
      this.#opening ??= (this.used ? this.#open() : this.#prove()).finally(() => (this.#opening = null));
      await Promise.race([this.#opening, new Promise((resolve) => (this.#found = resolve))]);
    }
    if (!this.#worker) throw new Refusal("this browser does not compute what the model computes", "See the proof, and try another browser.");
    return this.#worker;
  }

  // All rows, when every backend was tried.
  async proof() {
    await this.worker().catch(() => {});
    await this.#opening;
    return this.rows;
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
    this.told(this.rows);
    this.#worker = await ModelWorker.open(this.used, this.#site.address, this.model);
  }

  async #prove() {
    this.rows = [];
    for (const backend of BACKENDS) {
      const row = { backend, used: false, reason: "", ...(await unavailable(backend)) };
      this.rows.push(row);
      if (!row.reason) await this.#try(row);
      this.told(this.rows);
    }
    if (this.used) localStorage.setItem(this.#key, JSON.stringify(this.rows));
  }

  // Proves one backend, and uses it if it is right and faster than what is used so far.
  async #try(row) {
    const best = this.rows.find(({ used }) => used);
    const began = performance.now();
    try {
      const worker = await ModelWorker.open(row.backend, this.#site.address, this.model);
      row.opened = performance.now() - began;
      row.threads = worker.threads;
      Object.assign(row, await worker.call("prove", { site: this.#site.address, model: this.model }));
      if (!row.right) row.reason = "computes something else";
      else if (best && best.milliseconds <= row.milliseconds) row.reason = SLOWER;
      if (row.reason) return worker.close();
      if (best) Object.assign(best, { used: false, reason: SLOWER });
      row.used = true;
      this.#worker?.retire();
      this.#worker = worker;
      this.#found?.();
    } catch (error) {
      row.reason = `does not run: ${error.message}`;
    }
  }

  // What was proved stays so until the site, the browser or its isolation is another.
  get #key() {
    return `edgevision ${this.#site.version} ${this.model.name} ${self.crossOriginIsolated} ${navigator.userAgent}`;
  }

  #known() {
    return JSON.parse(localStorage.getItem(this.#key));
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
