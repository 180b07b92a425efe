/** Matrix product: validate → place → run → hand back. */
import { ACTIVATIONS } from "../runtime/abi.generated.js";
import { Call } from "../call/call.js";
import { type Activation } from "../rows/activations.js";
import { broadcastDims, offsetAt, stridesUnder } from "../call/broadcast.js";
import { oneOf, show, wrongKind, wrongValue, optional } from "../check.js";
import { PackedMatrix } from "./packedMatrix.js";
import { expectDims, handBack, type Operand } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import { countOf, type Float32Tensor, type PlaceTensor, type ResultTensor, type TensorLike } from "../call/tensor.js";
import { multiply } from "./multiply.js";

/** Options of `matmul`. */
export interface MatmulOptions<Out extends PlaceTensor = Float32Tensor> {
  /** Whether a lies as [..., depth, rows]. Default false. */
  transposeA?: boolean | null | undefined;
  /** Whether b lies as [..., columns, depth]. Default false. */
  transposeB?: boolean | null | undefined;
  /** Added to each row: [columns], which is [1] where b is a vector. */
  bias?: TensorLike | null | undefined;
  /** Applied last. Default none. */
  activation?: Activation | null | undefined;
  /** Whether the sums begin with the elements of `out`. Default false. */
  accumulate?: boolean | null | undefined;
  /** Receives the product, and is returned: [..., rows, columns], without rows where a is a vector, and columns where b is one. */
  out?: Out | null | undefined;
}

export const MATMUL: Operation = {
  name: "matmul",
  options: ["transposeA", "transposeB", "bias", "activation", "accumulate", "out"],
  foreign: {
    transposeA: "transa adja adjointa",
    transposeB: "transb adjb adjointb",
    bias: "c",
  },
  places: ["out"],
  reads: "accumulate",
};
const OPERATION = MATMUL.name;

/**
 * See `Engine.matmul`.
 * @internal
 */
export function matmul<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  a: TensorLike,
  b: TensorLike | PackedMatrix,
  options: MatmulOptions<Out> = {},
): Out {
  const [call, given] = Call.of(runtime, MATMUL, options);
  const { bias: biasOption, activation: activationOption, out: returned } = given;
  const isATransposed = oneOf(OPERATION, "transposeA", given.transposeA ?? false, [true, false]);
  const isBTransposed = oneOf(OPERATION, "transposeB", given.transposeB ?? false, [true, false]);
  const accumulate = oneOf(OPERATION, "accumulate", given.accumulate ?? false, [true, false]);

  const activation = optional(activationOption, (value) => oneOf(OPERATION, "activation", value, ACTIVATIONS));
  const aOperand = call.numbers("a", a);
  const isAVector = isVector(aOperand, isATransposed && "transposeA", "rows, depth");
  const [rows, depth] = isAVector ? [1, aOperand.count] : matrixSizes(aOperand, isATransposed);
  const bOperand = PackedMatrix.is(b) ? undefined : call.numbers("b", b);
  if (!bOperand && isBTransposed)
    throw wrongValue(OPERATION, `"transposeB" cannot be combined with a packed matrix; packMatrix takes its layout`);
  const isBVector = bOperand !== undefined && isVector(bOperand, isBTransposed && "transposeB", "depth, columns");
  const [bDepth, columns] = isBVector
    ? [bOperand.count, 1]
    : bOperand
      ? matrixSizes(bOperand, isBTransposed)
      : sizesOf(b as PackedMatrix);
  if (bDepth !== depth) {
    throw wrongValue(
      OPERATION,
      `"b" has depth ${bDepth}, expected ${depth} (a has dims ${show(aOperand.dims)}${of(isATransposed)})`,
    );
  }
  const [aLeading, bLeading] = [aOperand.dims.slice(0, -2), bOperand?.dims.slice(0, -2) ?? []];
  const leading = broadcastDims([aLeading, bLeading]);
  if (!leading) {
    const found = `${show(aLeading)} and ${show(bLeading)}`;
    throw wrongValue(OPERATION, `"a" and "b" have leading axes ${found}, expected equal sizes or 1`);
  }
  const dims = [...leading, ...(isAVector ? [] : [rows]), ...(isBVector ? [] : [columns])];

  const bias = optional(biasOption, (value) => call.numbers("bias", value));
  if (bias) expectDims(OPERATION, bias, [columns], "one for each column");
  const place = optional(returned, (value) =>
    call.place("out", value, dims, `...${isAVector ? "" : ", rows"}${isBVector ? "" : ", columns"}`),
  );
  if (accumulate && !place) throw wrongKind(OPERATION, '"accumulate" needs "out", which it adds to');
  if (place && accumulate) place.isUpdated = true;
  call.close();
  const packed = bOperand ? 0 : (b as PackedMatrix).ptrFor(call, "b");

  const out = call.result(place, dims);
  if (out.count === 0) return handBack(returned, out);
  call.onScratch(0, () => {
    const count = countOf(leading);
    const aStrides = stridesUnder(aLeading, leading.length);
    const bStrides = stridesUnder(bLeading, leading.length);
    const isOne = depth === 0 || (!isATransposed && countOf(bLeading) === 1); // its rows may be taken together
    multiply(call, {
      numEntries: isOne ? 1 : count,
      entryAt: (index) => ({
        a: aOperand.ptr + 4 * offsetAt(index, leading, aStrides) * rows * depth,
        b: bOperand ? bOperand.ptr + 4 * offsetAt(index, leading, bStrides) * depth * columns : packed,
        out: out.ptr + 4 * index * rows * columns,
      }),
      bias: bias?.ptr ?? 0,
      rows: isOne ? rows * count : rows,
      columns,
      depth,
      aRowStride: isATransposed ? rows : depth,
      bRowStride: isBTransposed ? depth : columns,
      outRowStride: columns,
      isATransposed,
      isBTransposed,
      isPacked: !bOperand,
      accumulate,
      activation,
    });
  });
  return handBack(returned, out);
}

const sizesOf = ({ depth, columns }: PackedMatrix): [number, number] => [depth, columns];
const of = (isTransposed: boolean): string => (isTransposed ? ", transposed" : "");

/**
 * Whether a side is a vector: one row of a, or one column of b, without an axis of its own in the result.
 *
 * @param transposed  the option that transposes this side, if it does
 */
function isVector({ name, dims }: Operand, transposed: string | false, axes: string): boolean {
  if (dims.length === 0) throw wrongValue(OPERATION, `"${name}" has dims [], expected [depth] or [..., ${axes}]`);
  if (dims.length === 1 && transposed)
    throw wrongValue(OPERATION, `"${transposed}" cannot be combined with a vector, but "${name}" has dims ${show(dims)}`);
  return dims.length === 1;
}

/** The last two sizes in the order of the product. */
function matrixSizes({ dims }: Operand, isTransposed: boolean): [number, number] {
  const [first, second] = [dims.at(-2)!, dims.at(-1)!];
  return isTransposed ? [second, first] : [first, second];
}
