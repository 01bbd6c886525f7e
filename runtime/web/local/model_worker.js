// A worker with a model, called by name as a function is.

import { Refusal } from "../page/refusal.js";

export class ModelWorker {
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #count = 0;
  #retired = false;

  // Opens `model` of `site` in `backend`.
  static async open(backend, site, model) {
    const worker = new ModelWorker();
    worker.backend = backend;
    try {
      Object.assign(worker, await worker.call("open", { backend, site, model }));
    } catch (error) {
      worker.close();
      throw error;
    }
    return worker;
  }

  constructor() {
    this.#worker.onmessage = ({ data: { id, value, problem } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (this.#retired && !this.#waiting.size) this.#worker.terminate();
      if (problem) reject(new Refusal(problem.message, problem.remedy));
      else resolve(value);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new Refusal(event.message || "the model's worker could not be started", "Load the page again."));
    };
  }

  call(name, argument) {
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call: name, argument });
    });
  }

  // Ends it when it has answered those that wait.
  retire() {
    this.#retired = true;
    if (!this.#waiting.size) this.close();
  }

  // Ends it whatever it does; those that wait are told so.
  close() {
    this.#worker.terminate();
    this.#end(new DOMException("It was ended.", "AbortError"));
  }

  #end(reason) {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
