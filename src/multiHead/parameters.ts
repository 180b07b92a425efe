/** The parameters of a multi-head layer: read once, checked, and split where several come in one array. */
import { hostNumbers } from "../call/scratch.js";
import { assertUnchanged } from "../call/unchanged.js";
import type { Call } from "../call/call.js";
import { show, wrongKind, wrongValue } from "../check.js";
import { readOptions } from "../call/readOptions.js";
import { type Operand } from "../call/operand.js";
import { countOf, type TensorLike } from "../call/tensor.js";
import { stridesUnder } from "../call/broadcast.js";
import { copyPlaced, gapsOf } from "../call/view.js";
import type { ProjectionParameters } from "./projection.js";
import type { MultiHeadConfig } from "./config.js";

/**
 * The parameters of a multi-head layer. `weightLayout` gives the layout of matrices; sizes below are those of "outIn", and
 * reversed for "inOut", where [in, heads, channels] and, for `out`, [heads, channels, out] are accepted too (Keras). Biases are
 * flat, or [heads, channels].
 */
export interface MultiHeadAttentionParameters {
  /** W^Q [numHeads · headDim, embedDim]: head h has the rows from h · headDim on. */
  q?: TensorLike | null | undefined;
  /** W^K [numKvHeads · headDim, kDim] */
  k?: TensorLike | null | undefined;
  /** W^V [numKvHeads · valueDim, vDim] */
  v?: TensorLike | null | undefined;
  /**
   * W^Q, W^K and W^V in one, in the config's `order`, instead of them: [(numHeads + numKvHeads) · headDim + numKvHeads · valueDim,
   * embedDim].
   */
  qkv?: TensorLike | null | undefined;
  /** W^O [outDim, numHeads · valueDim] */
  out: TensorLike;
  /** [numHeads · headDim] */
  qBias?: TensorLike | null | undefined;
  /** [numKvHeads · headDim] */
  kBias?: TensorLike | null | undefined;
  /** [numKvHeads · valueDim] */
  vBias?: TensorLike | null | undefined;
  /** The three biases in one, in the config's `order`, instead of them. */
  qkvBias?: TensorLike | null | undefined;
  /** [outDim] */
  outBias?: TensorLike | null | undefined;
  /** One more key, which every row sees [numKvHeads · headDim] (PyTorch's bias_k); with biasV. */
  biasK?: TensorLike | null | undefined;
  /** Its value [numKvHeads · valueDim] (PyTorch's bias_v). */
  biasV?: TensorLike | null | undefined;
  /** Factors of `qkNorm` on the elements of each query [headDim]. Default 1. */
  qNorm?: TensorLike | null | undefined;
  /** The same for keys. */
  kNorm?: TensorLike | null | undefined;
}

/** @internal */
export type MultiHeadParameters = Record<"q" | "k" | "v" | "out", ProjectionParameters> &
  Record<"biasK" | "biasV" | "qNorm" | "kNorm", Float32Array | undefined>;

const MATRICES = ["q", "k", "v", "qkv", "out"] as const;
const VECTORS = ["qBias", "kBias", "vBias", "qkvBias", "outBias", "biasK", "biasV", "qNorm", "kNorm"] as const;
/** A name of a parameter. */
export type ParameterName = (typeof MATRICES)[number] | (typeof VECTORS)[number];

/** Names in state dicts and checkpoints. */
const PARAMETER_NAMES = {
  "multiHeadFromTorch reads such names, multiHeadFromHuggingFace others": "inproj outproj qprojweight kprojweight vprojweight",
  qkv: "wqkv cattn querykeyvalue",
  q: "wq query qproj",
  k: "wk key kproj",
  v: "wv value vproj",
  out: "wo oproj output cproj",
  qBias: "querybias",
  kBias: "keybias",
  vBias: "valuebias",
  outBias: "outputbias",
};

/**
 * Parameters by name, as the caller gave them.
 * @internal
 */
export type ParameterOperands = ReadonlyMap<ParameterName, Operand>;

/**
 * Reads parameters. Each getter is read once.
 * @internal
 */
export function readParameterOperands(call: Call, parameters: MultiHeadAttentionParameters): ParameterOperands {
  const known = { name: call.operation, options: [...MATRICES, ...VECTORS], foreign: PARAMETER_NAMES };
  const operands = new Map<ParameterName, Operand>();
  for (const [name, value] of Object.entries(readOptions(known, parameters, "parameters"))) {
    operands.set(name as ParameterName, call.numbers(`parameters.${name}`, value));
  }
  if (!operands.has("out")) throw wrongKind(call.operation, '"parameters.out" is missing, the matrix of the output projection');
  return operands;
}

/**
 * The parameters of a layer.
 * @internal
 */
export function multiHeadParameters(call: Call, config: MultiHeadConfig, operands: ParameterOperands): MultiHeadParameters {
  assertTogether(call.operation, config, operands);
  const expected = expectedDims(config);
  for (const [name, operand] of operands) {
    const { axes, dims } = expected[name];
    if (dims.some((sizes) => show(sizes) === show(operand.dims))) continue;
    throw wrongValue(
      call.operation,
      `"${operand.name}" has dims ${show(operand.dims)}, expected ${dims.map(show).join(" or ")} (${axes})`,
    );
  }
  assertUnchanged(call, [...operands.values()]);

  const numbersOf = (name: ParameterName): Float32Array | undefined => {
    const operand = operands.get(name);
    return operand && hostNumbers(call, operand);
  };
  return { ...linearsOf(config, numbersOf), ...vectorsOf(numbersOf) };
}

/** Refuses parameters that need others, and redundant ones. */
function assertTogether(operation: string, config: MultiHeadConfig, operands: ParameterOperands): void {
  const isGiven = (name: ParameterName): boolean => operands.has(name);
  const quote = (name: ParameterName): string => `"parameters.${name}"`;
  const refuseBoth = (whole: ParameterName, parts: readonly ParameterName[]): void => {
    const part = parts.find(isGiven);
    if (part && isGiven(whole))
      throw wrongValue(operation, `${quote(whole)} cannot be combined with ${quote(part)}, which it contains`);
  };
  refuseBoth("qkv", ["q", "k", "v"]);
  refuseBoth("qkvBias", ["qBias", "kBias", "vBias"]);
  const missing = (["q", "k", "v"] as const).find((name) => !isGiven(name));
  if (missing && !isGiven("qkv")) {
    const names = (["q", "k", "v"] as const).map(quote);
    throw wrongKind(operation, `${quote(missing)} is missing; give ${names[0]}, ${names[1]} and ${names[2]}, or ${quote("qkv")}`);
  }
  const { embedDim, kDim, vDim, normEps, order } = config;
  if (order !== "qkv" && !isGiven("qkv") && !isGiven("qkvBias"))
    throw wrongValue(operation, `"order" is "${order}", which needs ${quote("qkv")} or ${quote("qkvBias")}`);
  if (isGiven("qkv") && (kDim !== embedDim || vDim !== embedDim)) {
    throw wrongValue(
      operation,
      `${quote("qkv")} needs kDim ${kDim} and vDim ${vDim} to equal embedDim ${embedDim}; give q, k and v separately`,
    );
  }
  for (const [one, other] of [["biasK", "biasV"] as const, ["biasV", "biasK"] as const]) {
    if (isGiven(one) && !isGiven(other)) throw wrongKind(operation, `${quote(other)} is missing; ${quote(one)} needs it`);
  }
  const norm = (["qNorm", "kNorm"] as const).find(isGiven);
  if (norm && normEps === undefined) throw wrongValue(operation, `${quote(norm)} needs "qkNorm" in the config`);
}

/** The sizes that each may have. */
function expectedDims(config: MultiHeadConfig): Record<ParameterName, { axes: string; dims: number[][] }> {
  const { embedDim, kDim, vDim, outDim, numHeads, numKvHeads, headDim, valueDim, weightLayout } = config;
  const isOutIn = weightLayout === "outIn";
  const [qSize, kSize, vSize] = [numHeads * headDim, numKvHeads * headDim, numKvHeads * valueDim];
  const into = (inDim: number, inAxis: string, heads: number, channels: number, outAxis: string) =>
    isOutIn
      ? { axes: `${outAxis}, ${inAxis}`, dims: [[heads * channels, inDim]] }
      : {
          axes: `${inAxis}, ${outAxis}`,
          dims: [
            [inDim, heads * channels],
            [inDim, heads, channels],
          ],
        };
  const perHead = (heads: number, channels: number, axes: string) => ({ axes, dims: [[heads * channels], [heads, channels]] });
  const [ofQ, ofK, ofV] = ["numHeads · headDim", "numKvHeads · headDim", "numKvHeads · valueDim"];
  const all = qSize + kSize + vSize;
  const ofAll = "(numHeads + numKvHeads) · headDim + numKvHeads · valueDim";
  const vector = (size: number, axes: string) => ({ axes, dims: [[size]] });
  return {
    q: into(embedDim, "embedDim", numHeads, headDim, ofQ),
    k: into(kDim, "kDim", numKvHeads, headDim, ofK),
    v: into(vDim, "vDim", numKvHeads, valueDim, ofV),
    qkv: isOutIn
      ? { axes: `${ofAll}, embedDim`, dims: [[all, embedDim]] }
      : { axes: `embedDim, ${ofAll}`, dims: [[embedDim, all]] },
    out: isOutIn
      ? { axes: "outDim, numHeads · valueDim", dims: [[outDim, numHeads * valueDim]] }
      : {
          axes: "numHeads · valueDim, outDim",
          dims: [
            [numHeads * valueDim, outDim],
            [numHeads, valueDim, outDim],
          ],
        },
    qBias: perHead(numHeads, headDim, ofQ),
    kBias: perHead(numKvHeads, headDim, ofK),
    vBias: perHead(numKvHeads, valueDim, ofV),
    qkvBias: vector(all, ofAll),
    outBias: vector(outDim, "outDim"),
    biasK: { axes: ofK, dims: [[kSize], [numKvHeads, headDim], [1, 1, kSize]] }, // the last is PyTorch's
    biasV: { axes: ofV, dims: [[vSize], [numKvHeads, valueDim], [1, 1, vSize]] },
    qNorm: vector(headDim, "headDim"),
    kNorm: vector(headDim, "headDim"),
  };
}

type NumbersOf = (name: ParameterName) => Float32Array | undefined;

function linearsOf(config: MultiHeadConfig, numbersOf: NumbersOf): Record<"q" | "k" | "v" | "out", ProjectionParameters> {
  const { embedDim, kDim, vDim, outDim, numHeads, numKvHeads, headDim, valueDim, weightLayout: layout } = config;
  const groups = config.order === "qkv" ? 1 : numKvHeads;
  const qSize = (numHeads * headDim) / groups;
  const [kSize, vSize] = [(numKvHeads * headDim) / groups, (numKvHeads * valueDim) / groups];
  const width = qSize + kSize + vSize; // of a group
  const qkv = numbersOf("qkv");
  const qkvBias = numbersOf("qkvBias");
  const linear = (name: "q" | "k" | "v", inDim: number, first: number, size: number): ProjectionParameters => ({
    ...{ layout, inDim, outDim: groups * size },
    matrix: !qkv
      ? numbersOf(name)!
      : layout === "outIn"
        ? elementsAt(qkv, first * inDim, [groups, size * inDim], [width * inDim, 1])
        : elementsAt(qkv, first, [inDim, groups, size], [groups * width, width, 1]),
    bias: qkvBias ? elementsAt(qkvBias, first, [groups, size], [width, 1]) : numbersOf(`${name}Bias`),
  });
  return {
    q: linear("q", embedDim, 0, qSize),
    k: linear("k", kDim, qSize, kSize),
    v: linear("v", vDim, qSize + kSize, vSize),
    out: { layout, inDim: numHeads * valueDim, outDim, matrix: numbersOf("out")!, bias: numbersOf("outBias") },
  };
}

const vectorsOf = (numbersOf: NumbersOf): Record<"biasK" | "biasV" | "qNorm" | "kNorm", Float32Array | undefined> => ({
  biasK: numbersOf("biasK"),
  biasV: numbersOf("biasV"),
  qNorm: numbersOf("qNorm"),
  kNorm: numbersOf("kNorm"),
});

/** The elements of a view one after the other: a part of the numbers themselves, or a copy. */
function elementsAt(numbers: Float32Array, offset: number, dims: readonly number[], strides: readonly number[]): Float32Array {
  const gaps = gapsOf(dims, strides);
  const count = countOf(dims);
  if (!gaps) return numbers.subarray(offset, offset + count);
  const elements = new Float32Array(count);
  copyPlaced(dims, elements, stridesUnder(dims, dims.length), numbers.subarray(offset), gaps);
  return elements;
}
