/** The forms of linear attention agree: quadratic, recurrent, in chunks, and step by step on a state. */
import type { Engine, LinearOptions } from "headwise";
import { linearAttention as reference } from "headwise/reference";
import { describe, expect, test } from "vitest";
import { cutRows, expectSameBits, largestError } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { linearInputs } from "./support/linear.js";
import { normal, type TestTensor } from "./support/random.js";

/** Rows, features per head and value columns: small if there are many rows. */
const SIZES = [
  [16, 8, 8],
  [100, 8, 8],
  [512, 4, 4],
  [2048, 3, 4],
  [16384, 2, 2],
] as const;

type Inputs = ReturnType<typeof linearInputs>;

const inputsOf = (rows: number, headDim: number, valueDim: number): Inputs =>
  linearInputs({ batchSize: 1, seqLen: rows, kvLen: rows, numHeads: 1, numKeyHeads: 1, numKvHeads: 1, headDim, valueDim }, rows);

const KINDS: Record<string, (inputs: Inputs) => LinearOptions> = {
  "elu+1": () => ({ causal: true }),
  gated: ({ decay }) => ({ rule: "gated", decay }),
  "gated by channel": ({ channelDecay }) => ({ rule: "gated", decay: channelDecay }),
  delta: ({ beta }) => ({ rule: "delta", beta }),
  gated_delta: ({ decay, beta }) => ({ rule: "gated_delta", decay, beta }),
};

/**
 * The quadratic form, as matrices: tril(φ(Q)φ(K)ᵀ ∘ D) V with D_ij = exp(G_i − G_j), and for delta rules tril(QKᵀ ∘ D)(I + tril(diag(β)
 * KKᵀ ∘ D, −1))⁻¹ diag(β) V.
 */
function quadratic({ q, k, v, decay, channelDecay, beta }: Inputs, kind: string): Float64Array {
  const [, rows, , headDim] = q.dims as [number, number, number, number];
  const valueDim = v.dims[3]!;
  const map = (x: number): number => (kind === "elu+1" ? (x > 0 ? x + 1 : Math.exp(x)) : x);
  const gate = (t: number, d: number): number =>
    kind === "gated by channel" ? channelDecay.data[t * headDim + d]! : kind.startsWith("gated") ? decay.data[t]! : 0;
  const product = (a: TestTensor, i: number, b: TestTensor, j: number): number => {
    let sum = 0;
    for (let d = 0; d < headDim; d++) {
      let exponent = 0;
      for (let t = j + 1; t <= i && kind.startsWith("gated"); t++) exponent += gate(t, d);
      sum += map(a.data[i * headDim + d]!) * map(b.data[j * headDim + d]!) * Math.exp(exponent);
    }
    return sum;
  };
  const values = Float64Array.from(v.data);
  if (kind.endsWith("delta")) {
    for (let i = 0; i < rows; i++) {
      for (let c = 0; c < valueDim; c++) values[i * valueDim + c]! *= beta.data[i]!;
      for (let j = 0; j < i; j++) {
        const weight = beta.data[i]! * product(k, i, k, j);
        for (let c = 0; c < valueDim; c++) values[i * valueDim + c]! -= weight * values[j * valueDim + c]!;
      }
    }
  }
  const out = new Float64Array(rows * valueDim);
  for (let i = 0; i < rows; i++) {
    const scores = Array.from({ length: i + 1 }, (_, j) => product(q, i, k, j));
    const factor = kind === "elu+1" ? 1 / (scores.reduce((a, b) => a + b, 0) + 1e-6) : 1 / Math.sqrt(headDim);
    for (const [j, score] of scores.entries())
      for (let c = 0; c < valueDim; c++) out[i * valueDim + c]! += factor * score * values[j * valueDim + c]!;
  }
  return out;
}

/** One step per row, on a state. */
function stepped(engine: Engine, { q, k, v }: Inputs, options: LinearOptions, rows: number): Float32Array {
  const { rule, decay, beta } = options;
  const [, , , headDim] = q.dims as [number, number, number, number];
  const channelDecay = (decay as TestTensor | undefined)?.dims.length === 4;
  using state = engine.createLinearAttentionState({ numKvHeads: 1, headDim, valueDim: v.dims[3]!, rule, channelDecay });
  const out = new Float32Array(rows * v.dims[3]!);
  for (let i = 0; i < rows; i++) {
    const cut = (tensor: unknown): TestTensor => {
      const { data, dims } = tensor as TestTensor;
      const { data: row } = cutRows({ data, dims: [1, dims[1]!, 1, data.length / dims[1]!] }, i, i + 1);
      return { data: row, dims: [1, 1, ...dims.slice(2)] };
    };
    const gates = { ...(decay !== undefined && { decay: cut(decay) }), ...(beta !== undefined && { beta: cut(beta) }) };
    out.set(state.step(cut(q), cut(k), cut(v), gates).data, i * v.dims[3]!);
  }
  return out;
}

const recurrent = new Map<string, Float64Array>();

describe.each(Object.keys(KINDS))("%s", (kind) => {
  test("quadratic and recurrent: 1e-12 in float64, up to 100 rows", () => {
    for (const [rows, headDim, valueDim] of SIZES.slice(0, 2)) {
      const inputs = inputsOf(rows, headDim, valueDim);
      const truth = reference(inputs.q, inputs.k, inputs.v, KINDS[kind]!(inputs) as object).data;
      expect(largestError(quadratic(inputs, kind), truth)).toBeLessThan(1e-12);
    }
  });
});

onEveryBuild((_, engine) => {
  describe.each(Object.keys(KINDS))("%s", (kind) => {
    test.each(SIZES)(
      "%i rows of %i and %i: chunks and steps have the same bits, within 3e-6 of the recurrence",
      (rows, headDim, valueDim) => {
        const inputs = inputsOf(rows, headDim, valueDim);
        const options = KINDS[kind]!(inputs);
        const name = `${kind} ${rows}`;
        if (!recurrent.has(name)) recurrent.set(name, reference(inputs.q, inputs.k, inputs.v, options as object).data);
        const truth = recurrent.get(name)!;
        const largest = truth.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
        const whole = engine.linearAttention(inputs.q, inputs.k, inputs.v, options);
        expect(largestError(whole.data, truth)).toBeLessThan(3e-6 * largest);
        const steps = Math.min(rows, 300);
        expectSameBits(stepped(engine, inputs, options, steps), whole.data.subarray(0, steps * valueDim), "steps");
      },
    );
  });

  test("16384 rows, full: within 1e-6 of the definition", () => {
    const [q, k, v] = [normal([50, 3], 1), normal([16384, 3], 2), normal([16384, 2], 3)];
    expect(largestError(engine.linearAttention(q, k, v).data, reference(q, k, v).data)).toBeLessThan(1e-6);
  });
});
