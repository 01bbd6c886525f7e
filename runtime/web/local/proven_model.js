// A model in the backend that is right here, and of two that are the faster one.

import { Refusal } from "../page/refusal.js";
import { isolateFor } from "./isolation.js";
import { ModelWorker } from "./model_worker.js";

const BACKENDS = ["wasm", "webgpu"];
const SLOWER = "right, but slower";

export class ProvenModel {
  #site;
  #worker = null;
  // {first, all}: when one backend is right, and when all were tried.
  #proving = null;
  #opening = null;

  // `told` is called with `rows` whenever one has come.
  constructor(site, model, told) {
    this.#site = site;
    this.model = model;
    this.told = told;
    // One for each backend: {backend, used, reason, opened, threads, samples, sqnr_db, agreement, milliseconds, right}.
    this.rows = this.#known() ?? [];
  }

  // The worker that answers: as soon as one backend is right. Where another turns out to be faster it takes over.
  async worker() {
    if (!this.#worker && !this.used) await (this.#proving ??= this.#beginProof()).first;
    if (!this.#worker && this.used) await (this.#opening ??= this.#open().finally(() => (this.#opening = null)));
    if (!this.#worker) {
      const reasons = this.rows.filter(({ reason }) => reason).map(({ backend, reason }) => `${backend} ${reason}`);
      throw new Refusal(`this browser does not compute what the model computes: ${reasons.join("; ")}`, "Try again, or another browser.");
    }
    return this.#worker;
  }

  // All rows, when every backend was tried.
  async proof() {
    await this.worker().catch(() => {});
    await this.#proving?.all;
    return this.rows;
  }

  // Ends what runs; the next call opens the model again.
  abort() {
    this.#worker?.close();
    this.#worker = null;
  }

  // Gives its memory back when what runs has ended; the next call opens the model again.
  rest() {
    if (this.#proving) return;
    this.#worker?.retire();
    this.#worker = null;
  }

  get used() {
    return this.rows.find(({ used }) => used)?.backend ?? null;
  }

  async #open() {
    this.told(this.rows);
    try {
      this.#worker = await ModelWorker.open(this.used, this.#site.address, this.model);
    } catch {
      // What was right on another day is not there today.
      localStorage.removeItem(this.#key);
      this.rows = [];
      await (this.#proving ??= this.#beginProof()).first;
    }
  }

  #beginProof() {
    const { promise: first, resolve } = Promise.withResolvers();
    const all = this.#prove(resolve).finally(() => (this.#proving = null));
    all.then(resolve, resolve);
    return { first, all };
  }

  async #prove(found) {
    this.rows = [];
    for (const backend of BACKENDS) {
      // Looking for a graphics processor can hold up the page, which shows first what it has.
      if (this.used) await idle();
      const row = { backend, used: false, reason: "", ...(await unavailable(backend)) };
      this.rows.push(row);
      if (!row.reason && (await this.#try(row))) found();
      this.told(this.rows);
    }
    if (this.used) localStorage.setItem(this.#key, JSON.stringify(this.rows));
  }

  // Proves one backend, and uses it if it is right and faster than what is used so far; whether it is.
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
      if (row.reason) worker.close();
      else {
        await isolateFor(row.milliseconds);
        this.#use(worker, row, best);
      }
    } catch (error) {
      row.reason = `does not run: ${error.message}`;
    }
    return row.used;
  }

  #use(worker, row, best) {
    if (best) Object.assign(best, { used: false, reason: SLOWER });
    row.used = true;
    this.#worker?.retire();
    this.#worker = worker;
  }

  // What was proved stays so until the site, the browser or its isolation is another.
  get #key() {
    return `edgevision ${this.#site.version} ${this.model.name} ${self.crossOriginIsolated} ${navigator.userAgent}`;
  }

  #known() {
    return JSON.parse(localStorage.getItem(this.#key));
  }
}

const idle = () => new Promise((resolve) => (self.requestIdleCallback ?? setTimeout)(resolve));

// Why a backend cannot be tried in this browser.
async function unavailable(backend) {
  if (backend === "wasm") return {};
  if (!navigator.gpu) return { reason: "not in this browser" };
  if (!("Suspending" in WebAssembly)) return { reason: "this browser cannot wait in WebAssembly (JSPI)" };
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter ? {} : { reason: "no graphics processor" };
}
