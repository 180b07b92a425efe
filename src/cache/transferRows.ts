/** Rows of keys and values on their way into blocks, and out of them. */
import { type Layout, stridesOf } from "../call/layout.js";
import { wrongValue } from "../check.js";
import { onScratch, type Operand } from "../call/operand.js";
import { wholeLines } from "../runtime/arena.js";
import { CACHE_PARAMS, KEY_SPAN, sizeOf, writeStruct } from "../runtime/params.js";
import type { Runtime } from "../runtime/runtime.js";
import type { CacheConfig } from "./cacheConfig.js";
import { blocksOf, type KeySpan, writeBlocks } from "./keySequences.js";

/** What `appendKeys` returns where a number is not finite and dtype "int8" can't keep it. */
const NOT_FINITE = { 1: "k", 2: "v" } as Readonly<Record<number, "k" | "v">>;

/** Keys and values of `count` rows a sequence, operands of a call or places for results. */
export interface Rows {
  readonly k: Operand;
  readonly v: Operand;
  /** Where k and v are int8: what 1 stands for, [count, numKvHeads], of one sequence. */
  readonly keyScales?: Operand;
  readonly valueScales?: Operand;
  readonly count: number;
  readonly layout: Layout;
}

/**
 * Runs a kernel between rows and the blocks of spans: `appendKeys` writes the blocks, `readKeys` the rows.
 * @throws {RangeError} not enough memory, or a number that the cache's dtype doesn't have
 */
export function transferRows(
  runtime: Runtime,
  operation: string,
  kernel: "appendKeys" | "readKeys",
  { numKvHeads, headDim, valueDim, dtype }: CacheConfig,
  spans: readonly KeySpan[],
  { k, v, keyScales, valueScales, count, layout }: Rows,
): void {
  const { memory, kernels, jobPtr } = runtime;
  const blocksPerSequence = spans.reduce((most, { end }) => Math.max(most, blocksOf(end)), 0);
  const spanBytes = sizeOf(KEY_SPAN);
  const spansBytes = wholeLines(spanBytes * spans.length);
  const blocksBytes = wholeLines(4 * spans.length * blocksPerSequence);
  const operands = [k, v, keyScales, valueScales].filter((operand) => operand !== undefined);
  const kernelBytes = kernels.transferBytes(headDim, valueDim);
  onScratch(runtime, operation, operands, spansBytes + blocksBytes + kernelBytes, (spansPtr) => {
    const blocksPtr = spansPtr + spansBytes;
    for (const [index, { sequence, first, end }] of spans.entries()) {
      writeStruct(memory, spansPtr + index * spanBytes, KEY_SPAN, { first, end });
      writeBlocks(sequence, blocksPerSequence, memory.i32, (blocksPtr >>> 2) + index * blocksPerSequence);
    }
    const kStrides = stridesOf(layout, count, numKvHeads, headDim);
    const vStrides = stridesOf(layout, count, numKvHeads, valueDim);
    writeStruct(memory, jobPtr, CACHE_PARAMS, {
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
    const notFinite = NOT_FINITE[kernels[kernel](jobPtr, blocksPtr + blocksBytes) ?? 0];
    if (notFinite) throw wrongValue(operation, `"${notFinite}" holds NaN or infinity, which a cache of dtype "int8" can't keep`);
  });
}
