/** Linear attention against its definition: at most twice the error of naive float32, plus 4 ulp of the largest result. */
import type { Engine, LinearOptions } from "headwise";
import { linearAttention as reference } from "headwise/reference";
import { describe, expect, test } from "vitest";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { checkLinear, type LinearSizes, linearInputs, parseLinear } from "./support/linear.js";
import { randomMask, type TestTensor } from "./support/random.js";

const SHAPES = [
  "B1-S1-KV1-H1/1/1-D1:1",
  "B1-S3-KV3-H1/1/1-D3:5",
  "B2-S7-KV7-H2/1/2-D8:9",
  "B1-S48-KV48-H3/3/3-D7:8",
  "B1-S49-KV49-H4/2/2-D13:11",
  "B2-S97-KV97-H2/2/4-D9:3",
  "B1-S55-KV55-H3/1/3-D65:63",
  "B1-S11-KV11-H4/4/4-D150:160",
  "B1-S9-KV9-H1/1/1-D3:520",
  "B1-S9-KV9-H1/1/1-D520:4",
  "B1-S150-KV150-H2/1/1-D16:24",
];

type Inputs = ReturnType<typeof linearInputs>;

/** Options of each kind. */
const KINDS: Record<string, (inputs: Inputs, sizes: LinearSizes) => LinearOptions> = {
  full: () => ({}),
  causal: () => ({ causal: true }),
  "causal, chunks of 5": () => ({ causal: true, chunkSize: 5 }),
  "causal, chunks of 512": () => ({ causal: true, chunkSize: 512 }),
  identity: () => ({ featureMap: "identity", normalize: false, causal: true, scale: 0.5 }),
  relu: () => ({ featureMap: "relu", eps: 0.5 }),
  relu2: () => ({ featureMap: "relu2", eps: 0.5, causal: true }),
  exp: () => ({ featureMap: "exp", causal: true }),
  softmax: () => ({ featureMap: "softmax" }),
  "a key mask": (_, { batchSize, kvLen }) => ({ keyMask: randomMask([batchSize, kvLen], 5, 0.6) }),
  "a key mask, causal": (_, { kvLen }) => ({ keyMask: randomMask([kvLen], 6, 0.6), causal: true }),
  "softmax with a key mask": (_, { kvLen }) => ({ keyMask: randomMask([kvLen], 7, 0.7), featureMap: "softmax" }),
  lengths: (_, { batchSize, kvLen }) => ({ keyLengths: [Math.ceil(kvLen / 2), 0].slice(0, batchSize) }),
  "lengths, causal": (_, { batchSize, kvLen }) => ({ keyLengths: [Math.ceil(kvLen / 2), 0].slice(0, batchSize), causal: true }),
  "rule linear": () => ({ rule: "linear" }),
  "rule gated": ({ decay }) => ({ rule: "gated", decay }),
  "rule gated, by channel": ({ channelDecay }) => ({ rule: "gated", decay: channelDecay }),
  "rule gated, a fixed decay": (_, { numKvHeads }) => ({
    rule: "gated",
    decay: { data: Float32Array.from({ length: numKvHeads }, (__, h) => -0.1 - h), dims: [numKvHeads] },
  }),
  "rule gated, lengths and a mask": ({ decay }, { batchSize, kvLen }) => ({
    rule: "gated",
    decay,
    keyLengths: [Math.ceil(kvLen / 2), kvLen].slice(0, batchSize),
    keyMask: randomMask([kvLen], 8, 0.7),
  }),
  "rule delta": ({ beta }) => ({ rule: "delta", beta }),
  "rule delta, a mask, chunks of 10": ({ beta }, { kvLen }) => ({
    rule: "delta",
    beta,
    keyMask: randomMask([kvLen], 9, 0.7),
    chunkSize: 10,
  }),
  "rule gated_delta": ({ decay, beta }) => ({ rule: "gated_delta", decay, beta }),
  "rule gated_delta, by channel": ({ channelDecay, beta }) => ({ rule: "gated_delta", decay: channelDecay, beta }),
  "rule gated_delta, by channel, lengths and a mask": ({ channelDecay, beta }, { batchSize, kvLen }) => ({
    rule: "gated_delta",
    decay: channelDecay,
    beta,
    keyLengths: [Math.ceil(kvLen / 2), kvLen].slice(0, batchSize),
    keyMask: randomMask([kvLen], 8, 0.7),
  }),
};

/** The same tensor with rows and heads swapped. */
function turned({ data, dims }: TestTensor): TestTensor {
  if (dims.length < 3) return { data, dims };
  const [batch, a, b, channels = 1] = dims as [number, number, number, number?];
  const out = new Float32Array(data.length);
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < a; i++)
      for (let j = 0; j < b; j++)
        for (let c = 0; c < channels; c++) out[((n * b + j) * a + i) * channels + c] = data[((n * a + i) * b + j) * channels + c]!;
  return { data: out, dims: [batch, b, a, ...dims.slice(3)] };
}

onEveryEngine((_, engine) => {
  describe.each(SHAPES)("%s", (name) => {
    const sizes = parseLinear(name);
    test.each(Object.keys(KINDS))("%s › seed 1", (kind) => {
      const inputs = linearInputs(sizes, 1);
      const options = KINDS[kind]!(inputs, sizes);
      const out = checkLinear(engine, inputs, options, `${name} ${kind}`);
      poison(engine);
      const gates = {
        ...(options.decay && { decay: turned(options.decay as TestTensor) }),
        ...(options.beta && { beta: turned(options.beta as TestTensor) }),
      };
      const { q, k, v } = inputs;
      const other = engine.linearAttention(turned(q), turned(k), turned(v), { ...options, ...gates, layout: "bhsd" });
      expectSameBits(turned({ data: other.data, dims: [...other.dims] }).data, out, "layout bhsd");
    });
  });

  test("cross-attention: fewer rows than keys, more, and none", () => {
    for (const shape of ["B2-S5-KV100-H2/2/2-D8:8", "B1-S100-KV5-H2/1/1-D8:7", "B1-S4-KV0-H1/1/1-D4:4", "B1-S0-KV4-H1/1/1-D4:4"]) {
      checkLinear(engine, linearInputs(parseLinear(shape), 2), {}, shape);
    }
  });

  test("rank 2 is one head", () => {
    const inputs = linearInputs(parseLinear("B1-S50-KV50-H1/1/1-D6:5"), 3);
    const flat = ({ data, dims }: TestTensor): TestTensor => ({ data, dims: [dims[1]!, ...dims.slice(3)] });
    const { q, k, v, decay, channelDecay, beta } = inputs;
    for (const [options, flatOptions] of [
      [{ causal: true }, { causal: true }],
      [
        { rule: "gated_delta", decay, beta },
        { rule: "gated_delta", decay: flat(decay), beta: flat(beta) },
      ],
      [
        { rule: "gated", decay: channelDecay },
        { rule: "gated", decay: flat(channelDecay) },
      ],
    ] as [LinearOptions, LinearOptions][]) {
      const out = engine.linearAttention(flat(q), flat(k), flat(v), flatOptions);
      expect(out.dims).toEqual([50, 5]);
      expectSameBits(out.data, engine.linearAttention(q, k, v, options).data, "rank 2");
      expect(largestError(out.data, reference(flat(q), flat(k), flat(v), flatOptions as object).data)).toBeLessThan(2e-6);
    }
  });

  test.each(Object.keys(KINDS).filter((kind) => /causal|rule|identity/.test(kind) && !/lengths|mask/.test(kind)))(
    "%s: a row depends neither on later rows nor on its batch, to the bit",
    (kind) => {
      const sizes = parseLinear("B2-S100-KV100-H2/2/2-D9:10");
      const { q, k, v, decay, channelDecay, beta } = linearInputs(sizes, 4);
      const whole = engine.linearAttention(q, k, v, KINDS[kind]!({ q, k, v, decay, channelDecay, beta }, sizes));
      const first = (tensor: TestTensor, rows: number): TestTensor => ({
        data: tensor.data.slice(0, (rows * tensor.data.length) / 2 / 100),
        dims: [1, rows, ...tensor.dims.slice(2)],
      });
      for (const rows of [1, 47, 50, 99]) {
        const cut = Object.fromEntries(
          Object.entries({ q, k, v, decay, channelDecay, beta }).map(([name, tensor]) => [name, first(tensor, rows)]),
        ) as Inputs;
        const part = engine.linearAttention(cut.q, cut.k, cut.v, KINDS[kind]!(cut, sizes));
        expectSameBits(part.data, first({ data: whole.data, dims: [...whole.dims] }, rows).data, `${rows} rows`);
      }
    },
  );

  test("chunkSize changes only rounding: 2e-6", () => {
    const sizes = parseLinear("B1-S200-KV200-H1/1/1-D16:16");
    const { q, k, v, decay, beta } = linearInputs(sizes, 5);
    for (const options of [{ causal: true }, { rule: "gated_delta", decay, beta }] as LinearOptions[]) {
      const expected = engine.linearAttention(q, k, v, options).data;
      for (const chunkSize of [1, 2, 13, 64, 200, 201]) {
        expect(largestError(engine.linearAttention(q, k, v, { ...options, chunkSize }).data, expected)).toBeLessThan(2e-6);
      }
    }
  });

  test("a feature map from the caller", () => {
    const { q, k, v } = linearInputs(parseLinear("B2-S60-KV60-H2/1/1-D5:4"), 6);
    const featureMap = ({ data, dims }: { data: ArrayLike<number>; dims: readonly number[] }) => {
      const channels = dims.at(-1)!;
      const out = new Float32Array((data.length / channels) * (channels + 1));
      for (let row = 0; row < data.length / channels; row++) {
        for (let d = 0; d < channels; d++) out[row * (channels + 1) + d] = Math.abs(data[row * channels + d]!);
        out[row * (channels + 1) + channels] = 1;
      }
      return { data: out, dims: [...dims.slice(0, -1), channels + 1] };
    };
    for (const options of [{ featureMap }, { featureMap, causal: true }]) {
      const found = engine.linearAttention(q, k, v, options);
      expect(largestError(found.data, reference(q, k, v, options).data)).toBeLessThan(2e-6);
    }
  });

  test("results in the engine's memory, even over q", () => {
    const inputs = linearInputs(parseLinear("B1-S300-KV300-H1/1/1-D24:24"), 7); // one head, whose columns threads could share
    const place = (tensor: TestTensor) => {
      const placed = engine.tensor(tensor.dims);
      placed.data.set(tensor.data);
      return placed;
    };
    for (const options of [{}, { causal: true }]) {
      const [q, k, v] = [place(inputs.q), place(inputs.k), place(inputs.v)];
      const expected = engine.linearAttention(inputs.q, inputs.k, inputs.v, options);
      expect(engine.linearAttention(q, k, v, { ...options, out: q })).toBe(q);
      expectSameBits(q.data, expected.data, "out = q");
      expect(() => engine.linearAttention(q, k, v, { out: k })).toThrow(
        'linearAttention: "out" overlaps "k" in the engine\'s memory; only the tensor "q" itself may be overwritten',
      );
      for (const tensor of [q, k, v]) tensor.dispose();
    }
    expect(engine.info.memory.inUse).toBe(0);
  });
});

/** Inputs that are not finite, and decays at the ends of their range. */
onEveryEngine((_, engine) => {
  const sizes = parseLinear("B1-S60-KV60-H1/1/1-D4:4");
  const causalKinds = ["causal", "rule linear", "rule gated", "rule gated, by channel", "rule delta", "rule gated_delta"];

  test.each(causalKinds)("%s: a key or value that is not finite affects no earlier row", (kind) => {
    for (const bad of [NaN, Infinity]) {
      for (const name of ["k", "v", "q"] as const) {
        const inputs = linearInputs(sizes, 8);
        const clean = engine.linearAttention(inputs.q, inputs.k, inputs.v, KINDS[kind]!(inputs, sizes)).data.slice();
        inputs[name].data[50 * 4 + 1] = bad;
        const found = engine.linearAttention(inputs.q, inputs.k, inputs.v, KINDS[kind]!(inputs, sizes)).data;
        expectSameBits(found.subarray(0, 200), clean.subarray(0, 200), `rows before a ${name} of ${bad}`);
        if (name === "q") expectSameBits(found.subarray(204), clean.subarray(204), `rows after a q of ${bad}`);
        expect(found.subarray(200, 204).every(Number.isFinite)).toBe(false);
      }
    }
  });

  const maskedKinds = ["full", "causal", "softmax", "rule gated", "rule delta", "rule gated_delta", "rule gated_delta, by channel"];
  test.each(maskedKinds)("%s: keys that do not count have no influence, whatever they hold", (kind) => {
    const inputs = linearInputs(sizes, 9);
    const mask = { data: new Uint8Array(60).fill(1), dims: [60] };
    for (const key of [0, 7, 59]) mask.data[key] = 0;
    const options = { ...KINDS[kind]!(inputs, sizes), keyMask: mask, keyLengths: [55] };
    const expected = engine.linearAttention(inputs.q, inputs.k, inputs.v, options).data.slice();
    for (const key of [0, 7, 55, 59]) {
      inputs.k.data.fill(NaN, key * 4, key * 4 + 4);
      inputs.v.data.fill(Infinity, key * 4, key * 4 + 4);
    }
    expectSameBits(engine.linearAttention(inputs.q, inputs.k, inputs.v, options).data, expected, "out");
  });

  test.each(["head", "channel"])("by %s: a decay of −∞ clears the state, whatever it held; 0 keeps it", (by) => {
    for (const rule of ["gated", "gated_delta"] as const) {
      const { q, k, v, decay, channelDecay, beta } = linearInputs(sizes, 10);
      const gates = by === "head" ? decay : channelDecay;
      const width = gates.data.length / 60;
      const betas = rule === "gated" ? {} : { beta };
      gates.data.fill(-Infinity, 20 * width, 21 * width);
      gates.data.fill(-1e30, 50 * width, 51 * width);
      gates.data.fill(0, 30 * width, 40 * width);
      checkLinearFinite(engine, { q, k, v }, { rule, decay: gates, ...betas });
      v.data[10 * 4] = NaN;
      k.data[48 * 4] = Infinity;
      const found = engine.linearAttention(q, k, v, { rule, decay: gates, ...betas }).data;
      const clean = linearInputs(sizes, 10);
      const expected = engine.linearAttention(clean.q, clean.k, clean.v, { rule, decay: gates, ...betas }).data;
      expectSameBits(found.subarray(0, 40), expected.subarray(0, 40), "before");
      expect(found.subarray(40, 80).some(Number.isNaN)).toBe(true);
      expectSameBits(found.subarray(80, 48 * 4), expected.subarray(80, 48 * 4), "after the first that clears");
      expectSameBits(found.subarray(200), expected.subarray(200), "after the second");
    }
  });

  test.each(["head", "channel"])("by %s: a cleared state stays cleared in all later chunks", (by) => {
    const long = parseLinear("B1-S160-KV160-H1/1/1-D4:4");
    for (const rule of ["gated", "gated_delta"] as const) {
      for (const clear of [20, 60]) {
        const attend = (bad: number) => {
          const { q, k, v, decay, channelDecay, beta } = linearInputs(long, 14);
          const gates = by === "head" ? decay : channelDecay;
          const width = gates.data.length / 160;
          gates.data.fill(-Infinity, clear * width, (clear + 1) * width);
          if (!Number.isFinite(bad)) v.data[10 * 4 + 1] = bad;
          return engine.linearAttention(q, k, v, { rule, decay: gates, ...(rule === "gated_delta" && { beta }) }).data;
        };
        for (const bad of [NaN, Infinity]) {
          expect(
            attend(bad)
              .subarray((clear - 1) * 4, clear * 4)
              .every(Number.isFinite),
          ).toBe(false);
          expectSameBits(attend(bad).subarray(clear * 4), attend(0).subarray(clear * 4), `rows from ${clear} on`);
        }
      }
    }
  });

  test("decays near 0 and near −∞: within 4e-7", () => {
    const { q, k, v, decay, channelDecay, beta } = linearInputs(sizes, 11);
    for (const value of [-1e-8, -1e-40, -30, -87.3, -87.4, -800, -3e38]) {
      for (const gates of [decay, channelDecay]) {
        const some = { ...gates, data: gates.data.map((x, index) => (index % 3 === 0 ? value : x)) };
        const all = { ...gates, data: gates.data.map(() => value) };
        for (const tensor of [some, all]) {
          checkLinearFinite(engine, { q, k, v }, { rule: "gated", decay: tensor });
          checkLinearFinite(engine, { q, k, v }, { rule: "gated_delta", decay: tensor, beta });
        }
      }
    }
  });

  test("decays above 0 grow the state", () => {
    const { q, k, v, decay } = linearInputs(sizes, 12);
    const growing = { ...decay, data: decay.data.map((x) => -x / 4) };
    const truth = reference(q, k, v, { rule: "gated", decay: growing }).data;
    const largest = truth.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(largestError(engine.linearAttention(q, k, v, { rule: "gated", decay: growing }).data, truth)).toBeLessThan(
      1e-5 * largest,
    );
  });

  test("decays above 0 leave an empty state empty, even if their factor exceeds float32", () => {
    const column = (...data: number[]): TestTensor => ({ data: Float32Array.from(data), dims: [data.length, 1] });
    const [ones, last] = [column(1, 1, 1, 1), column(0, 0, 0, 1)];
    const decay = { data: new Float32Array(4).fill(30), dims: [4] };
    const beta = { data: new Float32Array(4).fill(1), dims: [4] };
    expect([...engine.linearAttention(ones, last, ones, { rule: "gated", decay }).data]).toEqual([0, 0, 0, 1]);
    expect([...engine.linearAttention(ones, last, ones, { rule: "gated_delta", decay, beta }).data]).toEqual([0, 0, 0, 1]);
  });

  test("normalizers near 0: the formula with eps", () => {
    const column = (...data: number[]): TestTensor => ({ data: Float32Array.from(data), dims: [data.length, 1] });
    const options = { featureMap: "identity", causal: true } as const;
    const out = engine.linearAttention(column(1, 1, 1), column(1, -1, 0), column(1, 2, 3), options);
    expect(out.data[0]).toBeCloseTo(1, 5);
    expect(out.data[1]! * 1e-6).toBeCloseTo(-1, 5); // (1 − 2) / (0 + 1e-6)
    expect([...engine.linearAttention(column(1, 1), column(0, 1), column(5, 5), { ...options, eps: 0 }).data]).toEqual([NaN, 5]);
    expect([...engine.linearAttention(column(-200, 0), column(-200, -200), column(5, 5)).data]).toEqual([0, 0]); // φ is exactly 0
  });

  test("identity without a normalizer is the plain product QKᵀV", () => {
    const { q, k, v } = linearInputs(parseLinear("B1-S40-KV70-H1/1/1-D6:5"), 13);
    const product = new Float64Array(40 * 5);
    for (let i = 0; i < 40; i++)
      for (let j = 0; j < 70; j++) {
        let score = 0;
        for (let d = 0; d < 6; d++) score += q.data[i * 6 + d]! * k.data[j * 6 + d]!;
        for (let c = 0; c < 5; c++) product[i * 5 + c]! += score * v.data[j * 5 + c]!;
      }
    const found = engine.linearAttention(q, k, v, { featureMap: "identity", normalize: false });
    expect(largestError(found.data, product)).toBeLessThan(1e-5);
  });

  test("random numbers over a whole range: exp of either sign", () => {
    const q = { data: new Float32Array([-100, -87.3, -20, -1, 0, 1, 20, 80, 88.7]), dims: [9, 1] };
    const one = { data: new Float32Array([0]), dims: [1, 1] };
    const v = { data: new Float32Array([1]), dims: [1, 1] };
    const found = engine.linearAttention(q, one, v, { featureMap: "exp", normalize: false }).data;
    for (const [index, x] of q.data.entries()) {
      const truth = x < -87.33 ? 0 : Math.exp(x);
      expect(Math.abs(found[index]! - truth)).toBeLessThanOrEqual(2 * 2 ** -23 * truth);
    }
    const beyond = { data: new Float32Array([88.8, 1e4, Infinity, -Infinity, NaN]), dims: [5, 1] };
    const limits = engine.linearAttention(beyond, one, v, { featureMap: "exp", normalize: false }).data;
    expect([...limits]).toEqual([Infinity, Infinity, Infinity, 0, NaN]);
  });
});

function checkLinearFinite(engine: Engine, { q, k, v }: Record<"q" | "k" | "v", TestTensor>, options: LinearOptions): void {
  const truth = reference(q, k, v, options as object).data;
  expect(largestError(engine.linearAttention(q, k, v, options).data, truth)).toBeLessThan(
    4e-7 * Math.max(1, ...truth.map(Math.abs)),
  );
}
