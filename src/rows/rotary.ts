/** Rotary embeddings: read and check the call, run the kernel, return the result. */
import { Call } from "../call/call.js";
import { headsOption, type Layout, LAYOUTS, sizesOf, stridesOf } from "../call/layout.js";
import { integer, oneOf, optional, MAX_POSITION } from "../check.js";
import { handBack } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Float32Tensor, PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { computeTables, readAngleRows, rotaryBytes, type RotaryPositions, rotateRows } from "./rotaryCall.js";
import { evenDim, readBase, readRotary, ROTARY_NAMES, type RotaryConfig } from "./rotaryConfig.js";
import { frequencyBytes } from "./frequencies.js";
import { readScaling } from "./rotaryScaling.js";

/** Options of `rotary`. */
export interface RotaryOptions<Out extends PlaceTensor = Float32Tensor> extends RotaryConfig, RotaryPositions {
  /** Order of axes, as in attention: "bshd", "bhsd" or "sbhd". Default "bshd". */
  layout?: Layout | null | undefined;
  /** Heads of x, where its rows hold them side by side: [batch, seq, numHeads · headDim]. */
  numHeads?: number | null | undefined;
  /** Receives the result, and is returned; may be the tensor x. */
  out?: Out | null | undefined;
}

/** Options of `rotaryTables`. */
export interface RotaryTablesOptions {
  /** Positions, from 0 on. */
  length: number;
  /** Channels that are rotated: twice the columns of a table. */
  rotaryDim: number;
  /** θ = position · base^(−2i / rotaryDim) for column i. At least 1. Default 10000. */
  base?: number | null | undefined;
  /** Scaled frequencies, as in `rotary`; `scaling.length` is `length` by default. Default unscaled. */
  scaling?: RotaryConfig["scaling"];
}

export const ROTARY: Operation = {
  name: "rotary",
  options: [
    ...["layout", "numHeads", "base", "scaling", "rotaryStart", "rotaryDim", "interleaved"],
    ...["offset", "positions", "inverse", "tables", "out"],
  ],
  foreign: ROTARY_NAMES,
  places: ["out"],
};
export const ROTARY_TABLES: Operation = {
  name: "rotaryTables",
  options: ["length", "rotaryDim", "base", "scaling"],
  foreign: ROTARY_NAMES,
  places: [],
};

/**
 * See `Engine.rotary`.
 * @internal
 */
export function rotary<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  x: TensorLike,
  options: RotaryOptions<Out> = {},
): Out {
  const operation = ROTARY.name;
  const [call, given] = Call.of(runtime, ROTARY, options);
  const { layout: givenLayout = "bshd", base, scaling, rotaryStart, rotaryDim, interleaved, tables } = given;
  const { numHeads: ownHeads, offset, positions, inverse, out: returned } = given;
  const layout = oneOf(operation, "layout", givenLayout, LAYOUTS);
  const givenHeads = headsOption(operation, "numHeads", ownHeads);
  const input = call.numbers("x", x, true);
  const { batch: batchSize, rows: seqLen, heads: numHeads, channels: headDim } = sizesOf(operation, input, layout, givenHeads);
  const config = readRotary(call, { base, scaling, rotaryStart, rotaryDim, interleaved, tables }, headDim);
  const angleRows = readAngleRows(operation, { offset, positions, inverse }, { batchSize, seqLen, numHeads }, config);
  const place = optional(returned, (value) => call.place("out", value, input.dims, "as x", true));
  call.close(() => [input]);

  const out = call.result(place, input.dims);
  if (input.count > 0) {
    const [xStrides, outStrides] = [stridesOf(input, layout, headDim), stridesOf(out, layout, headDim)];
    call.onScratch(rotaryBytes(config, angleRows), (ptr) => {
      const rows = { batchSize, seqLen, numHeads, headDim, xStrides, outStrides };
      rotateRows(call, config, angleRows, { ...rows, x: input.ptr, out: out.ptr }, ptr);
    });
  }
  return handBack(returned, out);
}

/**
 * See `Engine.rotaryTables`.
 *
 * @param operation  the name of the operation in errors
 * @internal
 */
export function rotaryTables(
  runtime: Runtime,
  options: RotaryTablesOptions,
  operation = ROTARY_TABLES.name,
): { cos: ResultTensor; sin: ResultTensor } {
  const [call, given] = Call.of(runtime, { ...ROTARY_TABLES, name: operation }, options);
  const { length: givenLength, rotaryDim: givenDim, base: givenBase = 10000, scaling: givenScaling } = given;
  const length = integer(operation, "length", givenLength, 0, MAX_POSITION);
  const rotaryDim = evenDim(operation, givenDim, 2 ** 20);
  const base = readBase(operation, givenBase);
  const defaults = { pairs: rotaryDim / 2, base, length: Math.max(1, length) };
  const scaling = optional(givenScaling, (value) => readScaling(operation, value, defaults));
  runtime.assertAlive(operation);
  const cos = call.result(undefined, [length, rotaryDim / 2]);
  const sin = call.result(undefined, [length, rotaryDim / 2]);
  if (length > 0) {
    call.onScratch(frequencyBytes(rotaryDim), (frequencies) => {
      computeTables(call, { rotaryDim, base, scaling }, length, { cos: cos.ptr, sin: sin.ptr, positions: 0, frequencies });
    });
  }
  return { cos: handBack<ResultTensor>(undefined, cos), sin: handBack<ResultTensor>(undefined, sin) };
}
