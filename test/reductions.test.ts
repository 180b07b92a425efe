/** Layers that are attention with fixed weights: a convolution (Cordonnier et al. 2020, arXiv:1911.03584) and a dense layer. */
import { describe, test } from "vitest";
import type { Engine, Float32Tensor } from "headwise";
import { expectParity, expectSameBits } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor } from "./support/random.js";

/** The rows that heads look up: [rows, heads, valueDim], the input of the projection W^O. */
type HeadOutputs = Float32Tensor;

/**
 * Heads that each look at one key per row: all scores are equal, and a mask leaves that key. They share one key head, whose values are
 * the rows of x.
 *
 * @param seen  the key that head h of row i sees, −1 for none
 */
function lookUp(
  engine: Engine,
  x: TestTensor,
  numRows: number,
  numHeads: number,
  seen: (h: number, i: number) => number,
): HeadOutputs {
  const [numKeys, channels] = x.dims as [number, number];
  const mask = { data: new Uint8Array(numHeads * numRows * numKeys), dims: [numHeads, numRows, numKeys] };
  for (let h = 0; h < numHeads; h++) {
    for (let i = 0; i < numRows; i++) {
      const j = seen(h, i);
      if (j >= 0) mask.data[(h * numRows + i) * numKeys + j] = 1;
    }
  }
  const q = normal([1, numRows, numHeads, 3], 1); // the values do not matter: a single visible key has weight 1
  const k = normal([1, numKeys, 1, 3], 2);
  return engine.scaledDotProductAttention(q, k, { data: x.data, dims: [1, numKeys, 1, channels] }, { mask });
}

/** out[i, o] = Σ_h Σ_c heads[i, h, c] · output[h, c, o], with W^O of head h at `output[h]`. */
function projectOutput({ data, dims }: HeadOutputs, output: TestTensor): Float64Array {
  const [, rows, numHeads, channels] = dims as [number, number, number, number];
  const outDim = output.dims.at(-1)!;
  const out = new Float64Array(rows * outDim);
  for (let i = 0; i < rows; i++)
    for (let h = 0; h < numHeads; h++)
      for (let c = 0; c < channels; c++)
        for (let o = 0; o < outDim; o++)
          out[i * outDim + o]! += data[(i * numHeads + h) * channels + c]! * output.data[(h * channels + c) * outDim + o]!;
  return out;
}

onEveryEngine((_, engine) => {
  describe("a convolution is attention: one head for each offset, weight 1 on the pixel there, W^O = its kernel", () => {
    test.each([
      { height: 5, width: 7, channels: 3, outDim: 4, kernel: 3 },
      { height: 1, width: 9, channels: 1, outDim: 1, kernel: 5 },
      { height: 8, width: 8, channels: 8, outDim: 5, kernel: 1 },
      { height: 4, width: 3, channels: 5, outDim: 2, kernel: 7 }, // larger than the image
    ])("$height × $width × $channels, kernel $kernel × $kernel, seed 5: exactly", ({ height, width, channels, outDim, kernel }) => {
      const x = normal([height * width, channels], 5);
      const filters = normal([kernel * kernel, channels, outDim], 6); // of each offset (dy, dx): [channels, outDim]
      const reach = (kernel - 1) / 2;
      const heads = lookUp(engine, x, height * width, kernel * kernel, (h, i) => {
        const y = Math.floor(i / width) + Math.floor(h / kernel) - reach;
        const column = (i % width) + (h % kernel) - reach;
        const isInside = y >= 0 && y < height && column >= 0 && column < width;
        return isInside ? y * width + column : -1; // beyond the border there are zeros: a row that sees no key
      });

      const convolved = new Float64Array(height * width * outDim);
      for (let y = 0; y < height; y++)
        for (let column = 0; column < width; column++)
          for (let dy = -reach; dy <= reach; dy++)
            for (let dx = -reach; dx <= reach; dx++) {
              if (y + dy < 0 || y + dy >= height || column + dx < 0 || column + dx >= width) continue;
              const offset = (dy + reach) * kernel + dx + reach;
              for (let c = 0; c < channels; c++)
                for (let o = 0; o < outDim; o++)
                  convolved[(y * width + column) * outDim + o]! +=
                    x.data[((y + dy) * width + column + dx) * channels + c]! * filters.data[(offset * channels + c) * outDim + o]!;
            }
      expectSameBits(projectOutput(heads, filters), convolved, "convolution");
    });
  });

  describe("a dense layer is attention: one head for each key, one-hot masks, W^O = its parameters", () => {
    test.each([
      [1, 1, 1],
      [7, 5, 3],
      [65, 9, 8],
    ])("%d rows of %d, %d outputs, seed 7: flatten(x) · W exactly", (rows, channels, outDim) => {
      const x = normal([rows, channels], 7);
      const parameters = normal([rows, channels, outDim], 8); // [rows · channels, outDim] of the flattened input
      const heads = lookUp(engine, x, 1, rows, (h) => h); // one query, head h sees key h alone
      expectSameBits(heads.data, x.data, "the heads hold the flattened input");

      const dense = new Float64Array(outDim);
      for (let index = 0; index < rows * channels; index++)
        for (let o = 0; o < outDim; o++) dense[o]! += x.data[index]! * parameters.data[index * outDim + o]!;
      expectSameBits(projectOutput(heads, parameters), dense, "dense layer");
    });
  });

  test("global average pooling is attention whose scores are all equal: weights 1 / kvLen", () => {
    const [rows, channels] = [63, 5];
    const x = normal([rows, channels], 9);
    const pooled = engine.scaledDotProductAttention({ data: new Float32Array(channels), dims: [1, channels] }, x, x);
    const [truth, naive] = [new Float64Array(channels), new Float32Array(channels)];
    for (let i = 0; i < rows * channels; i++) {
      truth[i % channels]! += x.data[i]! / rows;
      naive[i % channels] = Math.fround(naive[i % channels]! + Math.fround(x.data[i]! / rows));
    }
    expectParity("mean", pooled.data, truth, naive);
  });
});
