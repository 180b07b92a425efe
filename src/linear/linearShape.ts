/** The sizes of a call of linear attention and of a state. */
import { counted, show, wrongValue } from "../check.js";
import { expectSize, inOrder, type Layout, sizesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import type { LinearConfig } from "./linearConfig.js";

/** Sizes of one call. */
export interface LinearShape {
  readonly batchSize: number;
  readonly seqLen: number;
  readonly kvLen: number;
  readonly numHeads: number;
  readonly numKeyHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly featureDim: number;
  readonly valueDim: number;
  readonly outDims: readonly number[];
}

/** Sizes of a state. */
export type StateSizes = Pick<LinearShape, "batchSize" | "numKeyHeads" | "numKvHeads" | "headDim" | "featureDim" | "valueDim"> & {
  /** 0, 1 for a whole head, or headDim. */
  readonly decayDim: number;
};

/** How the rows of q, k and v lie, as the caller says it. */
interface LinearRowLayout {
  readonly layout: Layout;
  readonly numHeads: number | undefined;
  readonly numKvHeads: number | undefined;
  readonly numKeyHeads: number | undefined;
}

/** Sizes of q, k and v together. @throws {RangeError} sizes that do not fit together */
export function linearShape(
  operation: string,
  { q, k, v }: { q: Operand; k: Operand; v: Operand },
  { layout, numHeads, numKvHeads, numKeyHeads }: LinearRowLayout,
  { isCausal, features, mapFunction }: LinearConfig,
  state: StateSizes | undefined,
): LinearShape {
  const isSplit = v.dims.length === 3;
  const valueHeads = numKvHeads ?? (isSplit ? (state?.numKvHeads ?? numHeads) : undefined);
  const keyHeads = numKeyHeads ?? (isSplit ? (state?.numKeyHeads ?? valueHeads) : undefined);
  const query = sizesOf(operation, q, layout, numHeads);
  const key = sizesOf(operation, k, layout, keyHeads);
  const value = sizesOf(operation, v, layout, valueHeads);
  const expect = (tensor: Operand, size: string, found: number, expected: number, why: () => string): void =>
    expectSize(operation, tensor, size, found, expected, why);
  const inState = (): string => "as in the state";
  const like = (tensor: Operand): string => `${tensor.name} has dims ${show(tensor.dims)}`;
  expect(k, "rank", k.dims.length, q.dims.length, () => like(q));
  expect(v, "rank", v.dims.length, q.dims.length, () => like(q));
  expect(k, "batch", key.batch, query.batch, () => like(q));
  expect(v, "batch", value.batch, query.batch, () => like(q));
  expect(k, "headDim", key.channels, query.channels, () => like(q));
  expect(v, "kvLen", value.rows, key.rows, () => like(k));
  for (const [tensor, { heads, channels }] of [[q, query] as const, [k, key] as const, [v, value] as const]) {
    if (heads < 1 || channels < 1) {
      throw wrongValue(
        operation,
        `"${tensor.name}" has ${counted(heads, "head")} of ${counted(channels, "element")}, expected at least 1 of each`,
      );
    }
  }
  if (value.heads % key.heads !== 0) {
    throw wrongValue(
      operation,
      `"v" has ${counted(value.heads, "head")}, expected a multiple of the ${key.heads} that k has (${like(k)})`,
    );
  }
  if (query.heads % value.heads !== 0 && value.heads % query.heads !== 0) {
    throw wrongValue(
      operation,
      `"q" has ${counted(query.heads, "head")}, expected a multiple or a divisor of the ${value.heads} that v has (${like(v)})`,
    );
  }
  if (isCausal) expect(k, "kvLen", key.rows, query.rows, () => `causal: one key for each row; ${like(q)}`);
  if (state) {
    expect(k, "numKeyHeads", key.heads, state.numKeyHeads, inState);
    expect(v, "numKvHeads", value.heads, state.numKvHeads, inState);
    const channels = mapFunction ? state.featureDim : state.headDim;
    expect(k, mapFunction ? "features" : "headDim", key.channels, channels, inState);
    expect(v, "valueDim", value.channels, state.valueDim, inState);
  }
  const numOutHeads = Math.max(query.heads, value.heads);
  const axes = inOrder(layout, query.batch, query.rows, numOutHeads);
  const outDims =
    q.dims.length === 2
      ? [query.rows, value.channels]
      : isSplit
        ? [axes[0]!, axes[1]!, numOutHeads * value.channels]
        : [...axes, value.channels];
  return {
    batchSize: query.batch,
    seqLen: query.rows,
    kvLen: key.rows,
    numHeads: query.heads,
    numKeyHeads: key.heads,
    numKvHeads: value.heads,
    headDim: query.channels,
    featureDim: mapFunction ? query.channels : (features ?? query.channels),
    valueDim: value.channels,
    outDims,
  };
}
