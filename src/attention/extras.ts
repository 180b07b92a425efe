/**
 * What a call adds to plain scaled dot-product attention: positions, looks at the weights, another score, a choice of keys. Each is read
 * by a function of its own, and gives its operands and its fields of the struct.
 */
import type { Call } from "../call/call.js";
import type { Layout } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import type { Given } from "../call/readOptions.js";
import type { PlaceTensor } from "../call/tensor.js";
import type { AttentionParams } from "../runtime/abi.generated.js";
import type { AttentionOptions } from "./options.js";
import type { AttentionShape, KeySize } from "./shape.js";

/** A call as far as it has been read. */
export interface Reading {
  readonly call: Call;
  readonly options: Given<Omit<AttentionOptions<PlaceTensor>, "layout" | "numHeads" | "numKvHeads">>;
  readonly shape: AttentionShape;
  readonly layout: Layout;
  readonly q: Operand;
  /** Absent with a cache. */
  readonly k: Operand | undefined;
  readonly isInt8: boolean;
}

export interface Extra {
  /** Its inputs and results. */
  readonly operands: readonly Operand[];
  /** Whether a strip must be computed at once, not by threads that share its keys. Default false. */
  readonly isWhole?: boolean | undefined;
  /** Whether threads share the heads of entries, not strips. Default false. */
  readonly isByHead?: boolean | undefined;
  /** How many heads and rows `weights` has, if not all. */
  readonly weightsSizes?: readonly [heads: number, rows: number] | undefined;
  /** The factor on scores where `scale` is absent. Default 1/√headDim. */
  readonly scale?: number | undefined;
  /** Multiply-adds for each pair of a row and a key, besides headDim + valueDim. Default 0. */
  readonly workOfPair?: number | undefined;
  /** The most keys that a row sees. Default all. */
  readonly mostKeys?: number | undefined;
  /** Bytes of scratch that `prepare` fills. Default 0. */
  readonly bytes?: number | undefined;
  /** Computes what attention reads, from operands that have their addresses, into its scratch at `ptr`. */
  prepare?(ptr: number): void;
  /** Its fields of the struct; `ptr` is the scratch that `prepare` filled. */
  fields(ptr: number): Partial<AttentionParams>;
}

/** Reads what a call adds, if it adds it. */
export type ReadExtra = (reading: Reading) => Extra | undefined;

/** What an operation adds to plain attention, besides what options ask for. */
export interface Added {
  /** Elements of a key, where they are not those of a query. */
  readonly keySize?: KeySize | undefined;
  readonly read: ReadExtra;
}

/** Begins to read it, before the sizes of the call are known; with a cache or with rows of keys. */
export type Addition = (call: Call, isCached: boolean) => Added;
