/** The operations around attention: softmax, norms, activations, sums, rotary embeddings, products. */
import type { Engine } from "headwise";
import { openBuild } from "../support/builds.js";
import { bytes, each, type Groups, revoked, zeros } from "./provoke.js";

type Change = Record<string, unknown>;

export function rows(engine: Engine): Groups {
  const softmax = ({ x = zeros(2, 3), ...options }: Change): unknown => engine.softmax(x as never, options);
  const norm = ({ x = zeros(2, 3), ...options }: Change): unknown => engine.layerNorm(x as never, options);
  const yarn = { type: "yarn", factor: 2, originalMaxPositionEmbeddings: 64 };
  const longrope = { type: "longrope", length: 9, originalMaxPositionEmbeddings: 64, shortFactor: [1, 1], longFactor: [1, 2] };
  const rotary = ({ x = zeros(2, 3, 1, 4), ...options }: Change): unknown => engine.rotary(x as never, options);
  const matmul = ({ a = zeros(2, 3), b = zeros(3, 4), ...options }: Change): unknown =>
    engine.matmul(a as never, b as never, options);
  const other = openBuild("simd");

  return {
    softmax: each(softmax, [
      { x: zeros() },
      { x: null },
      { axis: 2 },
      { axis: "last" },
      { scale: Infinity },
      { log: 1 },
      { mask: zeros(3) },
      { mask: bytes(2) },
      { mask: bytes(1, 2, 3) },
      { mask: bytes(4) },
      { mask: bytes(4), shortMask: "hide" },
      { x: zeros(2, 1), mask: bytes(3) },
      { bias: bytes(3) },
      { bias: zeros(2) },
      { shortMask: "no" },
      { out: zeros(3, 2) },
      { out: { ...zeros(2, 3), strides: [1, 1] } },
      { x: { ...zeros(2, 3), strides: [3, -1] } },
      { x: { ...zeros(2, 3), strides: [3] } },
      { x: { ...zeros(2, 3), strides: [4, 1] } },
      { x: { ...zeros(2, 3), offset: 1 } },
      { axs: 1 },
    ]),
    layerNorm: each(norm, [
      { x: zeros() },
      { eps: -1 },
      { weight: zeros(2) },
      { bias: zeros(2, 3) },
      { out: zeros(3, 2) },
      { weigth: 1 },
    ]),
    rmsNorm: each(({ ...options }: Change) => engine.rmsNorm(zeros(2, 3), options), [{ eps: "small" }, { bias: zeros(3) }]),
    activate: each(
      ({ kind = "relu", ...options }: Change) => engine.activate(zeros(2, 3), kind as never, options),
      [{ kind: "swish" }, { kind: null }, { gate: zeros(3, 2) }, { out: zeros(3) }],
    ),
    add: each(
      ({ b, ...options }: Change) => engine.add(zeros(2, 3), b as never, options),
      [{ b: zeros(2) }, { b: 1 }, { b: zeros(3), out: zeros(3) }],
    ),
    rotary: each(rotary, [
      { x: zeros(3) },
      { base: 0.5 },
      { base: "10000" },
      { rotaryDim: 3 },
      { rotaryDim: 6 },
      { rotaryStart: 4, rotaryDim: 2 },
      { rotaryStart: 2, rotaryDim: 4 },
      { x: zeros(2, 3, 8) },
      { x: zeros(2, 3, 8), numHeads: 3 },
      { x: zeros(2, 3, 2, 4), numHeads: 3 },
      { x: zeros(2, 3, 8), numHeads: 2, layout: "bhsd" },
      { interleaved: "no" },
      { inverse: 0 },
      { offset: -1 },
      { offset: [1] },
      { positions: [0, 1] },
      { positions: 3 },
      { positions: [0, 1, 2], offset: 4 },
      { tables: 5 },
      { tables: { cos: zeros(3, 2) } },
      { tables: { cos: zeros(3), sin: zeros(3) } },
      { tables: { cos: zeros(3, 2), sin: zeros(3, 1) } },
      { tables: { cos: zeros(3, 2), sin: zeros(3, 2) }, base: 100 },
      { tables: { cos: zeros(3, 2), sin: zeros(3, 2) }, rotaryDim: 2 },
      { tables: { cos: zeros(2, 2), sin: zeros(2, 2) } },
      { layout: "sbh" },
      { thetas: 1 },
      { rope_scaling: 1 },
      { scaling: 2 },
      { scaling: { type: "ntk" } },
      { scaling: { type: "yarn", rope_type: "linear" } },
      { scaling: { type: "linear" } },
      { scaling: { type: "linear", factor: 0.5 } },
      { scaling: { type: "linear", factor: "2" } },
      { scaling: { type: "linear", factor: 2, beta_fast: 3 } },
      { scaling: { type: "default", factor: 2 } },
      { scaling: { type: "linear", factor: 2, rope_theta: 3 } },
      { scaling: { type: "linear", factor: 2, alpha: 3 } },
      { scaling: { type: "dynamic", factor: 2, maxPositionEmbeddings: 9 } },
      { scaling: { ...yarn, betaFast: 0.5 } },
      { scaling: { ...yarn, mscale: 1 } },
      { scaling: { ...yarn, factor: null, maxPositionEmbeddings: 63 } },
      { scaling: yarn, base: 1 },
      { scaling: yarn, tables: { cos: zeros(3, 2), sin: zeros(3, 2) } },
      { scaling: { type: "llama3", factor: 2, lowFreqFactor: 1, highFreqFactor: 1, originalMaxPositionEmbeddings: 64 } },
      { scaling: longrope },
      { scaling: { ...longrope, factor: 2, shortFactor: 3 } },
      { scaling: { ...longrope, factor: 2, longFactor: [1] } },
      { scaling: { ...longrope, factor: 2, longFactor: [1, 0] } },
    ]),
    rotaryTables: each(
      (options: Change) => engine.rotaryTables(options as never),
      [
        {},
        { length: 3, rotaryDim: 5 },
        { length: -1, rotaryDim: 4 },
        { length: 3, rotaryDim: 4, base: 0 },
        { length: 3, rotaryDim: 4, scaling: {} },
      ],
    ),
    sinusoidalPositions: each(
      (options: Change) => engine.sinusoidalPositions(options as never),
      [{}, { length: 3 }, { length: 3, dim: 5 }, { length: -1, dim: 4 }, { length: 3, dim: 4, base: 500 }],
    ),
    matmul: {
      ...each(matmul, [
        { a: zeros() },
        { a: zeros(3), transposeA: true },
        { b: zeros() },
        { b: zeros(2, 4) },
        { a: zeros(3, 2), transposeA: true, b: zeros(2, 4) },
        { a: zeros(2) },
        { b: zeros(4, 2), transposeB: true },
        { a: zeros(2, 2, 3), b: zeros(3, 3, 4) },
        { bias: zeros(3) },
        { activation: "swish" },
        { transposeA: 1 },
        { accumulate: true },
        { out: zeros(4, 2) },
        { b: revoked() },
      ]),
      "transposeB of a packed matrix": () => matmul({ b: engine.packMatrix(zeros(3, 4)), transposeB: true }),
      "a packed matrix of another engine": () => matmul({ b: other.packMatrix(zeros(3, 4)) }),
      "a packed matrix after dispose": () => {
        const b = engine.packMatrix(zeros(3, 4));
        b.dispose();
        matmul({ b });
      },
      "a packed matrix of another depth": () => matmul({ b: engine.packMatrix(zeros(4, 3)) }),
    },
    packMatrix: each(
      ({ b = zeros(3, 4), layout }: Change) => engine.packMatrix(b as never, layout as never),
      [{ b: zeros(3) }, { b: zeros(3), layout: "outIn" }, { layout: "io" }],
    ),
  };
}
