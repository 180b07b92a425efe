import { createEngineSync } from "./node_modules/headwise/dist/standalone-sync.js";

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };
registerProcessor(
  "attention",
  class extends AudioWorkletProcessor {
    constructor() {
      super();
      const engine = createEngineSync();
      const numbers = Array.from(engine.scaledDotProductAttention(x, x, x, { causal: true }).data, (value) => value.toFixed(3));
      engine.dispose();
      this.port.postMessage({ numbers: numbers.join(" "), decoder: typeof TextDecoder });
    }
    process() {
      return true;
    }
  },
);
