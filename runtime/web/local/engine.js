// A model in onnxruntime-web: in WebAssembly with SIMD, and threads where the page is isolated, or in WebGPU.

const MOST_THREADS = 8;

// What runs where: the library's module, and the files of its WebAssembly.
const LIBRARIES = {
  wasm: { module: "ort.wasm.min", binary: "ort-wasm-simd-threaded" },
  webgpu: { module: "ort.webgpu.min", binary: "ort-wasm-simd-threaded.jspi" },
};

export class Engine {
  // `metadata` are the model's; `folder` holds the library, `model` is a promise of its bytes.
  static async open({ backend, folder, model, metadata }) {
    const { module, binary } = LIBRARIES[backend];
    const ort = await import(new URL(`${module}.js`, folder));
    ort.env.wasm.wasmPaths = { mjs: String(new URL(`${binary}.js`, folder)), wasm: String(new URL(`${binary}.wasm`, folder)) };
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
    ort.env.logLevel = "error";
    const session = await ort.InferenceSession.create(new Uint8Array(await model), { executionProviders: [backend], graphOptimizationLevel: "all" });
    return new Engine(ort, session, metadata);
  }

  constructor(ort, session, { inputs, outputs }) {
    this.ort = ort;
    this.session = session;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  get threads() {
    return this.ort.env.wasm.numThreads;
  }

  // Runs {data, shape} for each input, in their order, float32; gives the same for each output.
  async run(...tensors) {
    const feeds = Object.fromEntries(
      tensors.map(({ data, shape }, index) => [this.inputs[index].name, new this.ort.Tensor("float32", data, shape)]),
    );
    const found = await this.session.run(feeds);
    return this.outputs.map(({ name }) => {
      const { data, dims } = found[name];
      const floats = Float32Array.from(data);
      if (!floats.every(Number.isFinite)) throw new Error(`the output ${name} is not finite`);
      return { data: floats, shape: [...dims] };
    });
  }
}
