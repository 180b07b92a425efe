/** Linear attention for tests: inputs by seed, the yardstick of errors, and the check against the reference. */
import type { Engine, LinearOptions } from "headwise";
import { linearAttention as reference, type ReferenceLinearOptions, type ReferenceResult } from "headwise/reference";
import { expect } from "vitest";
import { dimsOf, expectParity } from "./attention.js";
import { normal, type TestTensor, uniform } from "./random.js";

export interface LinearSizes {
  batchSize: number;
  seqLen: number;
  kvLen: number;
  numHeads: number;
  numKeyHeads: number;
  numKvHeads: number;
  headDim: number;
  valueDim: number;
}

/** `B2-S63-KV63-H4/2/2-D5:7`: heads of q, k and v, sizes of keys and values. */
export function parseLinear(name: string): LinearSizes {
  const match = /^B(\d+)-S(\d+)-KV(\d+)-H(\d+)\/(\d+)\/(\d+)-D(\d+):(\d+)$/.exec(name);
  if (!match) throw new Error(`not a shape: ${name}`);
  const [batchSize, seqLen, kvLen, numHeads, numKeyHeads, numKvHeads, headDim, valueDim] = match.slice(1).map(Number);
  return { batchSize, seqLen, kvLen, numHeads, numKeyHeads, numKvHeads, headDim, valueDim } as LinearSizes;
}

export type Layout = "bshd" | "bhsd";

export function linearInputs(sizes: LinearSizes, seed: number, layout: Layout = "bshd") {
  const { batchSize, seqLen, kvLen, numHeads, numKeyHeads, numKvHeads, headDim, valueDim } = sizes;
  const gate = layout === "bshd" ? [batchSize, kvLen, numKvHeads] : [batchSize, numKvHeads, kvLen];
  const next = uniform(9 * seed + 4);
  const map = (tensor: TestTensor, change: (x: number) => number): TestTensor => ({ ...tensor, data: tensor.data.map(change) });
  return {
    q: normal(dimsOf(layout, batchSize, seqLen, numHeads, headDim), 9 * seed + 1),
    // short keys, as delta rules require: |k|² < 1
    k: normal(dimsOf(layout, batchSize, kvLen, numKeyHeads, headDim), 9 * seed + 2, 0.8 / Math.sqrt(headDim)),
    v: normal(dimsOf(layout, batchSize, kvLen, numKvHeads, valueDim), 9 * seed + 3),
    decay: map(normal(gate, 0), () => -0.4 * next()),
    channelDecay: map(normal([...gate, headDim], 0), () => -0.4 * next()),
    beta: map(normal(gate, 0), next),
  };
}

/**
 * Linear attention in naive float32: the reference's recurrence with every operation rounded, sums in order. Supports only these
 * options.
 */
export function naiveLinear(q: TestTensor, k: TestTensor, v: TestTensor, options: ReferenceLinearOptions): Float32Array {
  const { fround, exp } = Math;
  const { layout = "bshd", rule, decay, beta, keyLengths, keyMask } = options;
  const { causal = rule !== undefined, eps = 1e-6, featureMap = rule ? "identity" : "elu+1" } = options;
  const { normalize = rule === undefined && featureMap !== "softmax" } = options;
  const of = ({ dims }: TestTensor) => {
    const [batch, a, b, channels] = (dims.length === 2 ? [1, dims[0], 1, dims[1]] : dims) as [number, number, number, number];
    const isFirst = dims.length === 2 || layout === "bshd";
    return { batch, rows: isFirst ? a : b, heads: isFirst ? b : a, channels };
  };
  const [qs, ks, vs] = [of(q), of(k), of(v)];
  const at = (b: number, i: number, h: number, rows: number, heads: number): number =>
    layout === "bshd" ? (b * rows + i) * heads + h : (b * heads + h) * rows + i;
  const scale = fround(options.scale ?? (rule ? 1 / Math.sqrt(qs.channels) : 1));
  const map = (x: number): number => {
    if (featureMap === "elu+1") return x > 0 ? fround(x + 1) : fround(exp(x));
    if (featureMap === "relu") return Math.max(x, 0);
    if (featureMap === "relu2") return fround(Math.max(x, 0) ** 2);
    return featureMap === "exp" || featureMap === "softmax" ? fround(exp(x)) : x;
  };
  const numOut = Math.max(qs.heads, vs.heads);
  const out = new Float32Array(qs.batch * qs.rows * numOut * vs.channels);
  for (let b = 0; b < qs.batch; b++) {
    const length = keyLengths?.[b] ?? ks.rows;
    for (let h = 0; h < vs.heads; h++) {
      const keyHead = Math.floor((h * ks.heads) / vs.heads);
      const S = Array.from({ length: ks.channels }, () => new Float32Array(vs.channels));
      const z = new Float32Array(ks.channels);
      const gate = ({ data, dims }: { data: ArrayLike<number>; dims: readonly number[] }, j: number, f: number): number =>
        dims.length === 1
          ? data[h]!
          : dims.length === 4
            ? data[at(b, j, h, ks.rows, vs.heads) * ks.channels + f]!
            : data[at(b, j, h, ks.rows, vs.heads)]!;
      const take = (j: number): void => {
        if (decay && j < length)
          for (let f = 0; f < ks.channels; f++) {
            const factor = fround(exp(gate(decay, j, f)));
            for (let c = 0; c < vs.channels; c++) S[f]![c]! *= factor;
          }
        if (j >= length || (keyMask && keyMask.data[keyMask.dims.length === 1 ? j : b * ks.rows + j] === 0)) return;
        const kStart = at(b, j, keyHead, ks.rows, ks.heads) * ks.channels;
        const x = Array.from({ length: ks.channels }, (_, f) => map(k.data[kStart + f]!));
        for (let f = 0; f < ks.channels; f++) z[f]! += x[f]!;
        for (let c = 0; c < vs.channels; c++) {
          let u = v.data[at(b, j, h, vs.rows, vs.heads) * vs.channels + c]!;
          if (beta) {
            let found = 0;
            for (let f = 0; f < ks.channels; f++) found = fround(found + fround(x[f]! * S[f]![c]!));
            u = fround(gate(beta, j, 0) * fround(u - found));
          }
          for (let f = 0; f < ks.channels; f++) S[f]![c] = fround(S[f]![c]! + fround(x[f]! * u));
        }
      };
      if (!causal) for (let j = 0; j < ks.rows; j++) take(j);
      for (let i = 0; i < qs.rows; i++) {
        if (causal) take(i);
        for (let head = 0; head < numOut; head++) {
          if (Math.floor((head * vs.heads) / numOut) !== h) continue;
          const qStart = at(b, i, Math.floor((head * qs.heads) / numOut), qs.rows, qs.heads) * qs.channels;
          let x = Array.from({ length: qs.channels }, (_, f) => fround(map(q.data[qStart + f]!) * scale));
          if (featureMap === "softmax") {
            const sum = x.reduce((a, y) => fround(a + y), 0);
            x = x.map((y, f) => fround(fround(y / sum) / z[f]!));
          }
          const denominator = normalize ? fround(x.reduce((sum, y, f) => fround(sum + fround(y * z[f]!)), 0) + fround(eps)) : 1;
          const outStart = at(b, i, head, qs.rows, numOut) * vs.channels;
          for (let c = 0; c < vs.channels; c++) {
            let sum = 0;
            for (let f = 0; f < qs.channels; f++) sum = fround(sum + fround(x[f]! * S[f]![c]!));
            out[outStart + c] = sum / denominator;
          }
        }
      }
    }
  }
  return out;
}

/** Expected results by the name of the call: the same on every engine. */
const expectations = new Map<string, { truth: ReferenceResult; naive: Float32Array }>();

/**
 * Runs a call and compares it with the reference.
 *
 * @param name  unique to these inputs and options
 */
export function checkLinear(
  engine: Engine,
  { q, k, v }: { q: TestTensor; k: TestTensor; v: TestTensor },
  options: LinearOptions,
  name: string,
): Float32Array {
  const made = options as ReferenceLinearOptions;
  const expected = expectations.get(name) ?? { truth: reference(q, k, v, made), naive: naiveLinear(q, k, v, made) };
  expectations.set(name, expected);
  const { truth, naive } = expected;
  const out = engine.linearAttention(q, k, v, options);
  expect(out.dims).toEqual(truth.dims);
  expectParity("out", out.data, truth.data, naive);
  return out.data;
}
