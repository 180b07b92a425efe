/** Matrices that project the rows of heads: one for all heads, or one for each. */
import type { Call } from "../call/call.js";
import type { Strides } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import { show, wrongValue } from "../check.js";
import type { Activation } from "../rows/activations.js";
import { multiply } from "../product/multiply.js";

/** Rows of heads in the engine's memory; distances in elements. */
export interface HeadRows {
  readonly ptr: number;
  readonly strides: Strides;
  readonly batchSize: number;
  readonly heads: number;
  readonly rows: number;
  readonly channels: number;
}

/**
 * Refuses a parameter of other sizes than `sizes`, or [heads, ...sizes].
 *
 * @param axes  names of the sizes
 */
export function expectHeadSizes(
  call: Call,
  operand: Operand,
  heads: number,
  headsName: string,
  sizes: readonly number[],
  axes: string,
): void {
  const { name, dims } = operand;
  const own = dims.slice(-sizes.length);
  const hasHeads = dims.length === sizes.length + 1 && dims[0] === heads;
  if (show(own) === show(sizes) && (hasHeads || dims.length === sizes.length)) return;
  throw wrongValue(
    call.operation,
    `"${name}" has dims ${show(dims)}, expected [${axes}] = ${show(sizes)} or [${headsName}, ${axes}] = ${show([heads, ...sizes])}`,
  );
}

/** Elements from the part of one head to that of the next; 0 where one serves all heads. */
export const headStrideOf = ({ dims }: Operand, rank: number): number => {
  let count = 1;
  for (const size of dims.slice(-rank)) count *= size;
  return dims.length > rank ? count : 0;
};

/**
 * Multiplies the rows of each head by its matrix, adds its bias, and applies the activation.
 *
 * @param matrix        [columns, channels] if it is transposed, else [channels, columns]; with heads first if each has its own
 * @param to            address of the products; their strides are returned
 */
export function projectHeads(
  call: Call,
  { ptr, strides, batchSize, heads, rows, channels }: HeadRows,
  matrix: Operand,
  isTransposed: boolean,
  columns: number,
  bias: Operand | undefined,
  to: number,
  activation?: Activation,
): Strides {
  const matrixStride = headStrideOf(matrix, 2);
  const biasStride = bias ? headStrideOf(bias, 1) : 0;
  const layout = { batch: rows * heads * columns, row: heads * columns, head: columns };
  if (rows * batchSize === 0) return layout;
  const products = {
    columns,
    depth: channels,
    bRowStride: isTransposed ? channels : columns,
    isATransposed: false,
    isBTransposed: isTransposed,
    isPacked: false,
    accumulate: false,
    activation,
  };
  // Rows that follow one another in memory are one product.
  const isDense =
    (heads === 1 || strides.head === channels) &&
    (rows === 1 || strides.row === heads * channels) &&
    (batchSize === 1 || strides.batch === rows * heads * channels);
  if (isDense && matrixStride === 0 && biasStride === 0) {
    multiply(call, {
      ...products,
      ...{ numEntries: 1, entryAt: () => ({ a: ptr, b: matrix.ptr, out: to }), bias: bias?.ptr ?? 0 },
      ...{ rows: batchSize * rows * heads, aRowStride: channels, outRowStride: columns },
    });
    return layout;
  }
  const passes = biasStride === 0 ? 1 : heads; // a product has one bias
  for (let pass = 0; pass < passes; pass++) {
    const inPass = heads / passes;
    multiply(call, {
      ...products,
      numEntries: batchSize * inPass,
      entryAt: (index) => {
        const [batch, head] = [Math.floor(index / inPass), pass + (index % inPass)];
        return {
          a: ptr + 4 * (batch * strides.batch + head * strides.head),
          b: matrix.ptr + 4 * head * matrixStride,
          out: to + 4 * (batch * layout.batch + head * layout.head),
        };
      },
      bias: bias ? bias.ptr + 4 * pass * biasStride : 0,
      ...{ rows, aRowStride: strides.row, outRowStride: layout.row },
    });
  }
  return layout;
}
