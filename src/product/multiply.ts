/** Matrix products on operands in the engine's memory: how they are cut into units, and the scratch that they take. */
import { MATMUL_ENTRY_BYTES, writeMatmulEntry, writeMatmulParams } from "../runtime/fullAbi.generated.js";
import type { Call } from "../call/call.js";
import { type Activation } from "../rows/activations.js";
import { launch } from "../call/launch.js";
import { STRIP_ROWS } from "../runtime/builds.js";
import { PANEL, ACTIVATIONS } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";

/** Products out = activation(a · b + bias) of the same sizes. Addresses in bytes, strides in elements. */
export interface Products {
  readonly numEntries: number;
  /** Made one by one: there may be as many as results have elements. */
  readonly entryAt: (index: number) => { readonly a: number; readonly b: number; readonly out: number };
  /** [columns], 0 where absent. */
  readonly bias: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly aRowStride: number;
  readonly bRowStride: number;
  readonly outRowStride: number;
  readonly isATransposed: boolean;
  readonly isBTransposed: boolean;
  readonly isPacked: boolean;
  readonly accumulate: boolean;
  readonly activation: Activation | undefined;
}

/** Columns of a unit: a block of b this wide stays in a second-level cache of 1 MiB. */
const UNIT_COLUMNS = 256;
/**
 * From this many steps on, a unit's rows of a do not fit there too, and twice as many columns let them be gathered half as often:
 * 2048³ is 2 % faster then, 1024³ 2 % slower.
 */
const LONG_DEPTH = 2048;
/** Strips of a unit if b is packed: they share one reading of a block of b. With 16, 1024³ is 1 % slower. */
const PACKED_STRIPS = 8;
/** The fewest strips of a unit if each unit packs its own block of b. */
const LEAST_STRIPS = 16;
/** The most strips in that case: packing then takes about 0.5 % of the time. */
const MOST_STRIPS = 96;
/** Units for each thread, so that all finish together. */
const UNITS_PER_THREAD = 4;
/** Multiply-adds in the time of reading one element of b. */
const READ_WORK = 4;

/**
 * Runs the products on as many threads as are worthwhile.
 * @internal
 * @throws {RangeError} not enough memory
 */
export function multiply(call: Call, products: Products): void {
  const { numEntries, entryAt, rows, columns, depth } = products;
  const work = numEntries * Math.max(rows, READ_WORK) * columns * depth;
  launch(call, [], {
    kernel: "matmul",
    work,
    ownBytes: MATMUL_ENTRY_BYTES * numEntries,
    write: (memory, jobPtr, ptr) => {
      for (let index = 0; index < numEntries; index++) writeMatmulEntry(memory, ptr + index * MATMUL_ENTRY_BYTES, entryAt(index));
      writeMatmulParams(memory, jobPtr, {
        entries: ptr,
        numEntries,
        bias: products.bias,
        rows,
        columns,
        depth,
        aRowStride: products.aRowStride,
        bRowStride: products.bRowStride,
        outRowStride: products.outRowStride,
        isATransposed: products.isATransposed ? 1 : 0,
        isBTransposed: products.isBTransposed ? 1 : 0,
        isPacked: products.isPacked ? 1 : 0,
        accumulate: products.accumulate ? 1 : 0,
        activation: products.activation === undefined ? 0 : 1 + ACTIVATIONS.indexOf(products.activation),
        ...unitOf(call.runtime, products, call.runtime.threadsFor(work)),
      });
    },
  });
}

/** How the products are cut into units. No bit of a result depends on it. */
function unitOf({ build }: Runtime, { numEntries, rows, columns, depth, isPacked }: Products, threads: number) {
  const stripRows = rows > 6 && rows <= 8 ? 4 : STRIP_ROWS[build]; // 4 + 4 rather than 6 + 2
  const unitColumns = Math.min(Math.ceil(columns / PANEL) * PANEL, depth >= LONG_DEPTH ? 2 * UNIT_COLUMNS : UNIT_COLUMNS);
  const strips = Math.ceil(rows / stripRows);
  const blocks = numEntries * Math.ceil(columns / unitColumns);
  const parts = threads === 1 ? 1 : Math.ceil((threads * UNITS_PER_THREAD) / blocks);
  const ownStrips = Math.max(LEAST_STRIPS, Math.min(MOST_STRIPS, Math.ceil(strips / parts)));
  const unitStrips = Math.min(strips, isPacked ? PACKED_STRIPS : ownStrips);
  return { stripRows, unitRows: stripRows * unitStrips, unitColumns };
}
