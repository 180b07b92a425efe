/** Copies rows of keys and values into blocks, and out of them. */
import { onScratch } from "../call/scratch.js";
import type { Call } from "../call/call.js";
import { type Layout, stridesOf } from "../call/layout.js";
import { wrongValue } from "../check.js";
import type { Operand } from "../call/operand.js";
import { wholeLines } from "../runtime/arena.js";
import { APPEND_RESULTS, KEY_SPAN_BYTES, writeCacheParams, writeKeySpan } from "../runtime/abi.generated.js";
import type { CacheConfig } from "./cacheConfig.js";
import { blocksOf, type KeySpan, writeBlocks } from "./keySequences.js";

/** The operand with a number that dtype "int8" cannot store, by the result of `appendKeys`. */
const NOT_FINITE = { all: undefined, "key-not-finite": "k", "value-not-finite": "v" } satisfies Record<
  (typeof APPEND_RESULTS)[number],
  string | undefined
>;

/** Keys and values of each sequence: operands of a call, arrays for results, or scratch. */
export interface Rows {
  readonly k: Operand;
  readonly v: Operand;
  /** If k and v are int8: their scales [count, numKvHeads], of one sequence. */
  readonly keyScales?: Operand | undefined;
  readonly valueScales?: Operand | undefined;
  readonly layout: Layout;
}

/**
 * Runs a kernel between rows and the blocks of spans: `appendKeys` writes the blocks, `readKeys` the rows.
 * @throws {RangeError} not enough memory, or a number that the cache's dtype cannot store
 */
export function transferRows(call: Call, kernel: TransferKernel, config: CacheConfig, spans: readonly KeySpan[], rows: Rows): void {
  const operands = [rows.k, rows.v, rows.keyScales, rows.valueScales].filter((operand) => operand !== undefined);
  onScratch(call, operands, transferBytes(call, config, spans), (ptr) => transferPlaced(call, kernel, config, spans, rows, ptr));
}

type TransferKernel = "appendKeys" | "readKeys";

/** The blocks of the longest of the spans' sequences. */
const blocksPer = (spans: readonly KeySpan[]): number => spans.reduce((most, { end }) => Math.max(most, blocksOf(end)), 0);

/** Bytes of scratch that `transferPlaced` needs. */
export const transferBytes = ({ runtime }: Call, { headDim, valueDim }: CacheConfig, spans: readonly KeySpan[]): number =>
  wholeLines(KEY_SPAN_BYTES * spans.length) +
  wholeLines(4 * spans.length * blocksPer(spans)) +
  runtime.kernels.transferBytes(headDim, valueDim);

/**
 * The same for rows that have their addresses, on `transferBytes` of scratch.
 * @throws {RangeError} a number that the cache's dtype cannot store
 */
export function transferPlaced(
  call: Call,
  kernel: TransferKernel,
  { numKvHeads, headDim, valueDim, dtype }: CacheConfig,
  spans: readonly KeySpan[],
  { k, v, keyScales, valueScales, layout }: Rows,
  spansPtr: number,
): void {
  const { memory, kernels, jobPtr } = call.runtime;
  const blocksPerSequence = blocksPer(spans);
  const blocksPtr = spansPtr + wholeLines(KEY_SPAN_BYTES * spans.length);
  const kernelPtr = blocksPtr + wholeLines(4 * spans.length * blocksPerSequence);
  for (const [index, { sequence, first, end }] of spans.entries()) {
    writeKeySpan(memory, spansPtr + index * KEY_SPAN_BYTES, { first, end });
    writeBlocks(sequence, blocksPerSequence, memory.i32, (blocksPtr >>> 2) + index * blocksPerSequence);
  }
  const kStrides = stridesOf(k, layout, headDim);
  const vStrides = stridesOf(v, layout, valueDim);
  writeCacheParams(memory, jobPtr, {
    k: k.ptr,
    v: v.ptr,
    blocks: blocksPtr,
    isInt8: dtype === "int8" ? 1 : 0,
    spans: spansPtr,
    keyScales: keyScales?.ptr ?? 0,
    valueScales: valueScales?.ptr ?? 0,
    batchSize: spans.length,
    blocksPerSequence,
    numKvHeads,
    headDim,
    valueDim,
    kRowStride: kStrides.row,
    kHeadStride: kStrides.head,
    kBatchStride: kStrides.batch,
    vRowStride: vStrides.row,
    vHeadStride: vStrides.head,
    vBatchStride: vStrides.batch,
  });
  const notFinite = NOT_FINITE[APPEND_RESULTS[kernels[kernel](jobPtr, kernelPtr) ?? 0]!];
  if (notFinite)
    throw wrongValue(call.operation, `"${notFinite}" holds NaN or infinity, which a cache of dtype "int8" cannot store`);
}
