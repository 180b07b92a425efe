/** Layers that take the sequence first, and those whose three projections are one matrix, in each order. */
import { describe, expect, test } from "vitest";
import { expectSameBits } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor } from "./support/random.js";
import { collect } from "./support/views.js";

onEveryEngine((build, engine) => {
  test("a layer that takes the sequence first has the bits of one that takes the batch first", () => {
    const parameters = Object.fromEntries(["q", "k", "v", "out"].map((name, seed) => [name, normal([12, 12], seed)])) as never;
    const config = { embedDim: 12, numHeads: 3, rotary: {} };
    using batchFirst = engine.createMultiHeadAttention(config, parameters);
    using sequenceFirst = engine.createMultiHeadAttention({ ...config, layout: "sequenceFirst" }, parameters);
    const [rows, keys] = [normal([2, 5, 12], 5), normal([2, 7, 12], 6)];
    const turn = ({ data, dims: [b, s, c] }: { data: Float32Array; dims: readonly number[] }) => {
      const dims = [s!, b!, c!];
      return { data: Float32Array.from(collect(data, dims, { strides: [c!, s! * c!, 1], offset: 0 })), dims };
    };
    const options = { queryLengths: [5, 3], keyLengths: [7, 4] };
    const expected = batchFirst.forward(rows, { ...options, key: keys });
    const found = sequenceFirst.forward(turn(rows), { ...options, key: turn(keys) });
    expect(found.dims).toEqual([5, 2, 12]);
    expectSameBits(found.data, turn(expected).data, build);

    using inEngine = engine.tensor([5, 2, 12]);
    inEngine.data.set(turn(rows).data);
    const summed = batchFirst.forward(rows, { out: { ...rows, data: rows.data.slice() }, accumulate: true });
    expect(sequenceFirst.forward(inEngine, { out: inEngine, accumulate: true })).toBe(inEngine);
    expectSameBits(inEngine.data, turn(summed).data, `${build}, accumulating`);
    using memory = sequenceFirst.projectKeys(turn(keys));
    using itsMemory = batchFirst.projectKeys(keys);
    const [remembered, wanted] = [sequenceFirst.forward(turn(rows), { memory }), batchFirst.forward(rows, { memory: itsMemory })];
    expectSameBits(remembered.data, turn(wanted).data, `${build}, memory`);
    using cache = sequenceFirst.createCache({ batchSize: 2, capacity: 9 });
    using itsCache = batchFirst.createCache({ batchSize: 2, capacity: 9 });
    for (const count of [1, 4]) {
      const piece = normal([2, count, 12], count);
      const [one, other] = [sequenceFirst.forward(turn(piece), { cache }), batchFirst.forward(piece, { cache: itsCache })];
      expectSameBits(one.data, turn(other).data, `${build}, cache`);
    }
    const alone = normal([5, 12], 7);
    expectSameBits(sequenceFirst.forward(alone).data, batchFirst.forward(alone).data, `${build}, one sequence`);
  });

  describe.each(["outIn", "inOut"] as const)("a fused qkv, %s", (weightLayout) => {
    test.each([
      ["qkv", 4, 2],
      ["heads", 4, 4],
      ["groups", 4, 2],
      ["groups", 6, 1],
    ] as const)("order %s, %i heads on %i", (order, numHeads, numKvHeads) => {
      const [embedDim, headDim, valueDim] = [10, 3, 2];
      const config = { embedDim, numHeads, numKvHeads, headDim, valueDim, weightLayout };
      const size = numHeads / numKvHeads;
      const sizes = { q: numHeads * headDim, k: numKvHeads * headDim, v: numKvHeads * valueDim };
      const parts = Object.entries(sizes).map(([name, columns], seed) => ({
        name: name as "q" | "k" | "v",
        matrix: normal([columns, embedDim], seed), // [out, in]
        bias: normal([columns], 10 + seed),
      }));
      // The columns of the fused matrix, by the definition of each order.
      const columns: ["q" | "k" | "v", number][] = [];
      const push = (name: "q" | "k" | "v", first: number, count: number): void => {
        for (let i = 0; i < count; i++) columns.push([name, first + i]);
      };
      if (order === "qkv") for (const { name } of parts) push(name, 0, sizes[name]);
      else {
        for (let group = 0; group < numKvHeads; group++) {
          for (let head = 0; head < size; head++) push("q", (group * size + head) * headDim, headDim);
          push("k", group * headDim, headDim);
          push("v", group * valueDim, valueDim);
        }
      }
      const of = (name: "q" | "k" | "v") => parts.find((part) => part.name === name)!;
      const rowsOf = (rows: Float32Array[]): TestTensor => {
        const outIn = { data: Float32Array.from(rows.flatMap((row) => [...row])), dims: [rows.length, embedDim] };
        if (weightLayout === "outIn") return outIn;
        const dims = [embedDim, rows.length];
        return { data: Float32Array.from(collect(outIn.data, dims, { strides: [1, embedDim], offset: 0 })), dims };
      };
      const row = ({ data }: TestTensor, index: number) => data.subarray(index * embedDim, (index + 1) * embedDim);
      const out = normal(weightLayout === "outIn" ? [embedDim, numHeads * valueDim] : [numHeads * valueDim, embedDim], 20);
      const apart = Object.fromEntries(
        parts.flatMap(({ name, matrix, bias }) => [
          [name, rowsOf(Array.from({ length: sizes[name] }, (_, index) => row(matrix, index)))],
          [`${name}Bias`, bias],
        ]),
      );
      const fused = {
        qkv: rowsOf(columns.map(([name, index]) => row(of(name).matrix, index))),
        qkvBias: { data: Float32Array.from(columns, ([name, index]) => of(name).bias.data[index]!), dims: [columns.length] },
      };
      using expected = engine.createMultiHeadAttention(config, { ...apart, out });
      using found = engine.createMultiHeadAttention({ ...config, order }, { ...fused, out });
      const rows = normal([2, 5, embedDim], 30);
      expectSameBits(found.forward(rows).data, expected.forward(rows).data, build);
    });
  });
});
