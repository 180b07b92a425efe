/** Rows of keys and values on their way into blocks, and out of them. */
import { assignScratch, copyIn, copyOut, type Operand, scratchBytes } from "../operand.js";
import { wholeLines } from "../runtime/arena.js";
import { CACHE_PARAMS, KEY_SPAN, sizeOf, writeStruct } from "../runtime/params.js";
import type { Runtime } from "../runtime/runtime.js";
import { type CacheSizes, type Layout, stridesOf } from "../shape.js";
import { blocksOf, type KeySpan, writeBlocks } from "./keySequences.js";

/** Scratch of the kernels: a BlockLayout. */
const LAYOUT_BYTES = 64;

/** Keys and values of `count` rows a sequence, operands of a call or places for results. */
export interface Rows {
  readonly k: Operand;
  readonly v: Operand;
  readonly count: number;
  readonly layout: Layout;
}

/** Runs a kernel between rows and the blocks of spans: `appendKeys` writes the blocks, `readKeys` the rows. */
export function transferRows(
  runtime: Runtime,
  operation: string,
  kernel: "appendKeys" | "readKeys",
  { numKvHeads, headDim, valueDim }: CacheSizes,
  spans: readonly KeySpan[],
  { k, v, count, layout }: Rows,
): void {
  const { arena, memory, kernels, jobPtr } = runtime;
  const blocksPerSequence = spans.reduce((most, { end }) => Math.max(most, blocksOf(end)), 0);
  const spanBytes = sizeOf(KEY_SPAN);
  const spansBytes = wholeLines(spanBytes * spans.length);
  const blocksBytes = wholeLines(4 * spans.length * blocksPerSequence);
  const start = arena.openScratch(operation, scratchBytes([k, v]) + spansBytes + blocksBytes + LAYOUT_BYTES);
  try {
    const spansPtr = assignScratch([k, v], start);
    const blocksPtr = spansPtr + spansBytes;
    for (const operand of [k, v]) if (!operand.isResult) copyIn(runtime, operand);
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
      spans: spansPtr,
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
    kernels[kernel](jobPtr, blocksPtr + blocksBytes);
    for (const operand of [k, v]) if (operand.isResult) copyOut(runtime, operand);
  } finally {
    runtime.closeScratch();
  }
}
