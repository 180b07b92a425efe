/** The block of the example matches the reference. */
import { describe, expect, test } from "vitest";
import type { Engine, KVCache, MultiHeadForwardOptions } from "headwise";
import { activate, layerNorm, matmul, multiHeadAttention, type ReferenceTensor, rmsNorm } from "headwise/reference";
import { expectSameBits, largestError } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { type LayerConfig, type LayerParameters, randomParameters } from "./support/layers.js";
import { normal, type TestTensor } from "./support/random.js";

interface Config {
  attention: LayerConfig;
  order: "pre" | "post";
  norm: "layer" | "rms";
}

interface Norm {
  weight: TestTensor;
  bias?: TestTensor;
}

interface Parameters {
  attention: LayerParameters;
  norm1: Norm;
  norm2: Norm;
  up: TestTensor;
  gate?: TestTensor;
  down: TestTensor;
  upBias?: TestTensor;
  downBias?: TestTensor;
}

interface Block {
  forward(x: TestTensor, options?: MultiHeadForwardOptions): TestTensor;
  createCache(options: { capacity: number; batchSize: number }): KVCache;
  dispose(): void;
}

const file = new URL("../examples/transformer-block/block.mjs", import.meta.url);
const { TransformerBlock } = (await import(/* @vite-ignore */ file.href)) as {
  TransformerBlock: new (engine: Engine, config: Config, parameters: Parameters) => Block;
};

/** The block in float64, by the formula in the example. */
function reference({ attention, order, norm }: Config, parameters: Parameters, x: TestTensor): Float64Array {
  const { norm1, norm2, up, gate, down, upBias, downBias } = parameters;
  const add = (a: ReferenceTensor, b: ReferenceTensor) => ({
    data: Float64Array.from(a.data, (each, i) => each + b.data[i]!),
    dims: x.dims,
  });
  const normalize = (rows: ReferenceTensor, { weight, bias }: Norm) =>
    norm === "layer" ? layerNorm(rows, { weight, bias }) : rmsNorm(rows, { weight });
  const attend = (rows: ReferenceTensor) => multiHeadAttention(attention, parameters.attention, rows, { causal: true });
  const feedForward = (rows: ReferenceTensor): ReferenceTensor => {
    const hidden = matmul(rows, up, { transposeB: true, bias: upBias });
    const active = gate ? activate(matmul(rows, gate, { transposeB: true }), "silu", { gate: hidden }) : activate(hidden, "gelu");
    return matmul(active, down, { transposeB: true, bias: downBias });
  };
  if (order === "pre") {
    const h = add(x, attend(normalize(x, norm1)));
    return add(h, feedForward(normalize(h, norm2))).data;
  }
  const h = normalize(add(x, attend(x)), norm1);
  return Float64Array.from(normalize(add(h, feedForward(h)), norm2).data);
}

const BLOCKS: Record<string, { config: Config; gated: boolean; biases: boolean }> = {
  "post-norm, layer norm, GELU": {
    config: { attention: { embedDim: 24, numHeads: 3 }, order: "post", norm: "layer" },
    gated: false,
    biases: true,
  },
  "pre-norm, layer norm, GELU": {
    config: { attention: { embedDim: 40, numHeads: 5 }, order: "pre", norm: "layer" },
    gated: false,
    biases: true,
  },
  "pre-norm, RMS norm, SwiGLU, rotary, grouped heads": {
    config: { attention: { embedDim: 40, numHeads: 4, numKvHeads: 2, rotary: {}, qkNorm: true }, order: "pre", norm: "rms" },
    gated: true,
    biases: false,
  },
};

function parametersOf({ attention, norm }: Config, gated: boolean, biases: boolean): Parameters {
  const { embedDim } = attention;
  const hidden = 3 * embedDim + 1;
  const matrix = (columns: number, inDim: number, seed: number) => normal([columns, inDim], seed, 1 / Math.sqrt(inDim));
  const normOf = (seed: number): Norm => ({
    weight: normal([embedDim], seed),
    ...(norm === "layer" && { bias: normal([embedDim], seed + 1) }),
  });
  return {
    attention: randomParameters(attention, 2, { biases }),
    norm1: normOf(61),
    norm2: normOf(63),
    up: matrix(hidden, embedDim, 65),
    down: matrix(embedDim, hidden, 66),
    ...(gated && { gate: matrix(hidden, embedDim, 67) }),
    ...(biases && { upBias: normal([hidden], 68), downBias: normal([embedDim], 69) }),
  };
}

/** Relative to the largest number: some 300 sums, each with a few rounding errors. */
const BOUND = 32 * 2 ** -23;

onEveryEngine((_, engine) => {
  describe.each(Object.entries(BLOCKS))("%s", (_name, { config, gated, biases }) => {
    const parameters = parametersOf(config, gated, biases);
    const x = normal([2, 13, config.attention.embedDim], 70);

    test(`matches the reference within ${BOUND.toExponential(1)} of the largest number`, () => {
      const block = new TransformerBlock(engine, config, parameters);
      const truth = reference(config, parameters, x);
      const largest = truth.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
      expect(largestError(block.forward(x, { causal: true }).data, truth)).toBeLessThanOrEqual(BOUND * largest);
      block.dispose();
      expect(engine.info.memory.inUse).toBe(0);
    });

    test("token by token it has the bits of one call", () => {
      const block = new TransformerBlock(engine, config, parameters);
      const whole = block.forward(x, { causal: true });
      const cache = block.createCache({ capacity: 13, batchSize: 2 });
      const { embedDim } = config.attention;
      for (let row = 0; row < 13; row++) {
        const rows = [0, 1].flatMap((batch) => [
          ...x.data.subarray((batch * 13 + row) * embedDim, (batch * 13 + row + 1) * embedDim),
        ]);
        const { data } = block.forward({ data: Float32Array.from(rows), dims: [2, 1, embedDim] }, { cache });
        for (const batch of [0, 1]) {
          const expected = whole.data.subarray((batch * 13 + row) * embedDim, (batch * 13 + row + 1) * embedDim);
          expectSameBits(data.subarray(batch * embedDim, (batch + 1) * embedDim), expected, `row ${row}`);
        }
      }
      cache.dispose();
      block.dispose();
    });
  });
});
