/**
 * Computes a multi-head layer: projections, attention and the output projection one after the other on scratch that they share,
 * so that nothing is copied between them.
 */
import { onScratch } from "../call/scratch.js";
import { Call } from "../call/call.js";
import { handBack, newResult, type Operand, scratchTensor } from "../call/operand.js";
import { normalizeRows } from "../rows/normalize.js";
import type { RotaryAngleRows } from "../rows/rotaryCall.js";
import { attendTo, clearSums } from "../attention/scaledDotProductAttention.js";
import { wholeLines } from "../runtime/arena.js";
import type { Runtime } from "../runtime/runtime.js";
import type { EngineTensor, PlaceTensor } from "../call/tensor.js";
import { averageOverHeads, gateHeads } from "./heads.js";
import { anglesAt, rotateInPlace } from "./rotary.js";
import { batchFirst, reordered, type SourceRows } from "./layerRows.js";
import type { Projection } from "./projection.js";
import type { MultiHeadCall } from "./call.js";
import type { MultiHeadConfig } from "./config.js";
import type { StagedRows } from "../cache/stagedRows.js";

/** The layer's tensors in the engine's memory. */
export interface MultiHeadParts {
  readonly runtime: Runtime;
  readonly config: MultiHeadConfig;
  readonly q: Projection;
  readonly k: Projection;
  readonly v: Projection;
  readonly out: Projection;
  readonly biasK: EngineTensor<"float32"> | undefined;
  readonly biasV: EngineTensor<"float32"> | undefined;
  readonly qNorm: EngineTensor<"float32"> | undefined;
  readonly kNorm: EngineTensor<"float32"> | undefined;
  readonly cos: EngineTensor<"float32"> | undefined;
  readonly sin: EngineTensor<"float32"> | undefined;
}

/** Keys and values that are made of rows, [batch, rows + extra keys, numKvHeads, …]. */
export interface ProjectedKeys {
  readonly k: Operand;
  readonly v: Operand;
}

/** Keys that every row sees, after the others. */
export const extraKeysOf = ({ biasK, config }: Pick<MultiHeadParts, "biasK" | "config">): number =>
  (biasK ? 1 : 0) + (config.addZeroAttention ? 1 : 0);

/** Gives tensors addresses one after the other from `ptr` on. */
function layOut(tensors: readonly Operand[], ptr: number): void {
  for (const tensor of tensors) {
    tensor.ptr = ptr;
    ptr += wholeLines(4 * tensor.count);
  }
}

const bytesOf = (tensors: readonly Operand[]): number => tensors.reduce((sum, { count }) => sum + wholeLines(4 * count), 0);

/** Copies operands to scratch, makes room for the layer's own tensors behind them, and computes. */
export function onLayerScratch(call: Call, operands: readonly Operand[], tensors: readonly Operand[], compute: () => void): void {
  onScratch(call, [...new Set(operands)], bytesOf(tensors), (ptr) => {
    layOut(tensors, ptr);
    compute();
  });
}

/** Computes a call that has been read. On failure its cache is unchanged. */
export function forward(parts: MultiHeadParts, layerCall: MultiHeadCall): PlaceTensor {
  const { call, added, returned, x } = layerCall;
  const { layout } = parts.config;
  const out = layerCall.out ?? batchFirst(layout, newResult(call, reordered(layout, layerCall.outDims)));
  const staged = added?.cache.stage(call, added.counts);
  try {
    if (x.count > 0) compute(parts, layerCall, out, staged);
    else clearSums(layerCall.attention);
  } catch (error) {
    staged?.undo();
    throw error;
  }
  staged?.keep();
  return handBack(returned, { ...out, dims: reordered(layout, out.dims) });
}

function compute(parts: MultiHeadParts, layerCall: MultiHeadCall, out: Operand, staged: StagedRows | undefined): void {
  const { call, attention, averageWeights, headGates, accumulate } = layerCall;
  const { numHeads, valueDim } = parts.config;
  const { batchSize, seqLen, kvLen } = attention.shape;
  const weights = averageWeights && (attention.results.weights ?? scratchTensor("weights", [batchSize, numHeads, seqLen, kvLen]));
  const tensors = weights && !attention.results.weights ? [weights] : [];
  // the weights are read again after attention has written them
  const attended = weights
    ? { ...attention, results: { ...attention.results, weights }, given: attention.given.filter((operand) => operand !== weights) }
    : attention;
  const operands = [out, averageWeights, attention.results.weights && weights].filter((operand) => operand !== undefined);
  withHeads(parts, { ...layerCall, attention: attended }, { operands, tensors, staged }, (heads) => {
    gateHeads(call, heads, valueDim, headGates);
    const rows = batchSize * seqLen;
    parts.out.apply(call, heads.ptr, out.ptr, { groups: 1, rows, outRows: rows, accumulate });
    if (averageWeights) averageOverHeads(call, weights!, averageWeights, attention.shape);
  });
}

/** What a computation on heads needs besides them. */
interface BesideHeads {
  readonly operands: readonly Operand[];
  /** In scratch. */
  readonly tensors: readonly Operand[];
  /** Receives the keys and values. */
  readonly staged: StagedRows | undefined;
}

/** Computes the heads of a call, [batch, seqLen, numHeads, valueDim] in scratch, and what follows from them. */
export function withHeads(
  parts: MultiHeadParts,
  layerCall: MultiHeadCall,
  { operands, tensors, staged }: BesideHeads,
  follow: (heads: Operand) => void,
): void {
  const { call, x, source, projected, attention } = layerCall;
  const { headDim, valueDim } = parts.config;
  const { batchSize, seqLen, outDims } = attention.shape;
  const { q } = attention.inputs;
  const heads = valueDim === headDim ? q : scratchTensor("heads", outDims); // attention may overwrite q
  const own = projected ? [q, projected.k, projected.v] : [q];
  if (heads !== q) own.push(heads);
  const inputs = [x, source?.key, source?.value].filter((operand) => operand !== undefined);
  onLayerScratch(call, [...inputs, ...operands], [...own, ...tensors], () => {
    parts.q.apply(call, x.ptr, q.ptr, { groups: batchSize, rows: seqLen, outRows: seqLen });
    normalizeHeads(call, parts, q, parts.qNorm);
    rotateHeads(call, parts, q, layerCall.queryAngleRows);
    if (source && projected) projectSource(call, parts, source, projected, batchSize, layerCall.keyAngleRows);
    if (staged) staged.write({ ...projected!, layout: "bshd" });
    attendTo(attention, heads);
    follow(heads);
  });
}

/** Keys and values of rows, followed by the extra ones. */
export function projectSource(
  call: Call,
  parts: MultiHeadParts,
  { key, value, rows }: SourceRows,
  { k, v }: ProjectedKeys,
  batchSize: number,
  angleRows: RotaryAngleRows | undefined,
): void {
  const { biasK, biasV } = parts;
  const outRows = rows + extraKeysOf(parts);
  parts.k.apply(call, key.ptr, k.ptr, { groups: batchSize, rows, outRows });
  parts.v.apply(call, value.ptr, v.ptr, { groups: batchSize, rows, outRows });
  normalizeHeads(call, parts, k, parts.kNorm);
  rotateHeads(call, parts, k, angleRows);
  for (const [{ ptr }, bias, width] of [[k, biasK, parts.k.outDim] as const, [v, biasV, parts.v.outDim] as const]) {
    call.runtime.kernels.writeExtraRows(ptr, bias?.ptr ?? 0, batchSize, outRows, outRows - rows, width);
  }
}

/** Divides the vector of each head by its root mean square, if the layer has qkNorm. */
function normalizeHeads(call: Call, { config }: MultiHeadParts, x: Operand, weight: MultiHeadParts["qNorm"]): void {
  const { headDim: length, normEps: eps } = config;
  if (eps === undefined) return;
  normalizeRows(call, [], { input: x, out: x, weight, bias: undefined, length, eps, isCentered: false });
}

/** Rotates heads by their positions, if the layer has rotary. */
function rotateHeads(call: Call, { config, cos, sin }: MultiHeadParts, x: Operand, angleRows: RotaryAngleRows | undefined): void {
  if (config.angles && angleRows) rotateInPlace(call, anglesAt(config.angles, cos?.ptr, sin?.ptr), angleRows, x);
}
