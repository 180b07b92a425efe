/** One forward call of a multi-head layer as the caller describes it, read once and checked. */
import type { Call } from "../call/call.js";
import type { GivenForward } from "./forwardOptions.js";
import { oneOf, show, wrongKind, wrongValue, optional, isAbsent } from "../check.js";
import { type Operand, scratchTensor } from "../call/operand.js";
import { type AttentionCall, attentionOn } from "../attention/attentionCall.js";
import type { RotaryAngleRows } from "../rows/rotaryCall.js";
import type { AttentionShape } from "../attention/shape.js";
import type { PlaceTensor, TensorLike } from "../call/tensor.js";
import { keyPositions, angleRowsOf, queryPositions } from "./rotary.js";
import { readRows, readRowsPlace, readSource, reordered, type RowSizes, type SourceRows } from "./layerRows.js";
import { type MultiHeadConfig, readHeadGates } from "./config.js";
import { type StoredKeys, storedKeys } from "./storedKeys.js";

/**
 * After this, nothing of the caller's is read except the elements of arrays.
 * @internal
 */
export interface MultiHeadCall {
  readonly call: Call;
  readonly x: Operand;
  /** Undefined if `memory` holds keys and values that were made of them. */
  readonly source: SourceRows | undefined;
  /**
   * Keys and values that are made of the source [batch, rows + extra keys, numKvHeads, …]: scratch without an address yet, as q.
   */
  readonly projected: { readonly k: Operand; readonly v: Operand } | undefined;
  /** The cache that receives them, `counts` rows of each sequence. */
  readonly added: StoredKeys["added"];
  /** Attention of q on them, or on the stored keys. */
  readonly attention: AttentionCall;
  /** Rows of the rotary tables for queries and keys, in layers with rotary; extra keys have no position. */
  readonly queryAngleRows: RotaryAngleRows | undefined;
  readonly keyAngleRows: RotaryAngleRows | undefined;
  readonly headGates: readonly number[];
  readonly out: Operand | undefined;
  readonly outDims: readonly number[];
  readonly accumulate: boolean;
  readonly averageWeights: Operand | undefined;
  readonly returned: PlaceTensor | undefined;
}

/**
 * Reads a call, whose options have been read.
 *
 * @param extraKeys  keys that every row sees, after the others
 * @internal
 */
export function readMultiHeadCall(
  call: Call,
  config: MultiHeadConfig,
  extraKeys: number,
  x: TensorLike,
  given: GivenForward,
): MultiHeadCall {
  assertTogether(call.operation, config, extraKeys, given);
  const { operand: input, batch, rows: seqLen } = readRows(call, config.layout, "x", x, config.embedDim, "embedDim");
  const rank = input.dims.length;

  const stored = storedKeys(call, config, extraKeys, given, { batch, rows: seqLen });
  const source = sourceOf(call, config, given, input, { batch, rows: seqLen });
  const { numHeads, numKvHeads, headDim, valueDim, outDim } = config;
  const keyRows = stored ? stored.keys.lengths.reduce((most, length) => Math.max(most, length), 0) : source!.rows + extraKeys;
  const shape: AttentionShape = {
    ...{ batchSize: batch, seqLen, kvLen: keyRows, numHeads, numKvHeads, headDim, keyDim: headDim, valueDim },
    outDims: [batch, seqLen, numHeads, valueDim],
    headDims: rank === 2 ? [numHeads] : [batch, numHeads],
  };
  const projected = source && {
    k: scratchTensor("k", [batch, source.rows + extraKeys, numKvHeads, headDim]),
    v: scratchTensor("v", [batch, source.rows + extraKeys, numKvHeads, valueDim]),
  };
  const q = scratchTensor("q", [batch, seqLen, numHeads, headDim]);
  const attended = { q, k: stored ? undefined : projected?.k, v: stored ? undefined : projected?.v };
  const own: GivenForward = { ...given, ...stored?.options, out: undefined };
  const attention = attentionOn(call, attended, stored?.keys, shape, "bshd", own, extraKeys);

  const { angles } = config;
  const where = { shape, sequences: attention.sequences };
  const queryAngleRows = angles && angleRowsOf(call.operation, angles, queryPositions(where));
  // a cache receives the query rows themselves
  const keyAngleRows = stored ? queryAngleRows : angles && angleRowsOf(call.operation, angles, keyPositions(where, keyRows));

  const outDims = [...input.dims.slice(0, -1), outDim];
  const out = optional(given.out, (place) => readRowsPlace(call, config.layout, place, outDims, "rows of x, outDim"));
  const accumulate = oneOf(call.operation, "accumulate", given.accumulate ?? false, [true, false]);
  if (accumulate && !out) throw wrongKind(call.operation, '"accumulate" needs "out", which it adds to');
  if (out && accumulate) out.isUpdated = true;
  const headGates = readHeadGates(call.operation, given.headGates, numHeads) ?? config.headGates;
  const leading = rank === 2 ? [] : [batch];
  if (!isAbsent(given.averageWeights) && !isAbsent(given.weightsRange)) {
    throw wrongValue(
      call.operation,
      '"weightsRange" cannot be combined with "averageWeights", which needs the weights of all heads',
    );
  }
  const averageWeights = optional(given.averageWeights, (place) =>
    call.place("averageWeights", place, [...leading, seqLen, keyRows], `${rank === 2 ? "" : "batch, "}seqLen, kvLen`),
  );

  call.close((result) => (result === out ? [input] : []));
  stored?.assertUnchanged();
  return {
    call,
    x: input,
    source,
    projected,
    added: stored?.added,
    attention,
    queryAngleRows,
    keyAngleRows,
    headGates,
    out,
    outDims,
    accumulate,
    averageWeights,
    returned: given.out,
  };
}

/** Refuses options that contradict each other or the layer. */
function assertTogether(
  operation: string,
  { embedDim, kDim, vDim }: MultiHeadConfig,
  extraKeys: number,
  given: GivenForward,
): void {
  const isGiven = (name: keyof GivenForward): boolean => !isAbsent(given[name]);
  const sources = (["memory", "cache", "key"] as const).filter(isGiven);
  if (sources.length > 1)
    throw wrongValue(operation, `"${sources[0]}" cannot be combined with "${sources[1]}": keys come from one of them`);
  const [source] = sources;
  if (isGiven("value") && source !== "key") throw wrongKind(operation, '"key" is missing; "value" needs it');
  if (source === "cache" && extraKeys > 0) {
    throw wrongValue(operation, '"cache" needs a layer without biasK and addZeroAttention, whose keys come after all others');
  }
  if (source !== "memory" && source !== "key" && (kDim !== embedDim || vDim !== embedDim)) {
    throw wrongKind(
      operation,
      `"key" is missing: this layer projects keys from kDim ${kDim} and values from vDim ${vDim} numbers, but x has ${embedDim}`,
    );
  }
}

/** Rows that keys and values are made of, if they are not stored. */
function sourceOf(call: Call, config: MultiHeadConfig, given: GivenForward, x: Operand, sizes: RowSizes): SourceRows | undefined {
  if (!isAbsent(given.memory)) return undefined;
  if (isAbsent(given.key)) return { key: x, value: x, rows: sizes.rows };
  const asGiven = ({ dims }: Operand): string => show(reordered(config.layout, dims));
  const { batch, rank, source } = readSource(call, config, given.key, given.value);
  if (batch !== sizes.batch || rank !== x.dims.length) {
    throw wrongValue(call.operation, `"key" has dims ${asGiven(source.key)}, expected the rank and batch of x ${asGiven(x)}`);
  }
  return source;
}
