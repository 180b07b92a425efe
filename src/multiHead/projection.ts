/** y = x W + b on rows in the engine's memory, with W packed once. */
import { Call } from "../call/call.js";
import { multiply } from "../product/multiply.js";
import type { Runtime } from "../runtime/runtime.js";
import { createTensor, type EngineTensor } from "../call/tensor.js";
import { PackedMatrix, type WeightLayout } from "../product/packedMatrix.js";

/** W and b in JavaScript's memory. */
export interface ProjectionParameters {
  readonly matrix: Float32Array;
  readonly layout: WeightLayout;
  readonly inDim: number;
  readonly outDim: number;
  readonly bias: Float32Array | undefined;
}

/** Rows of a product: `groups` times `rows`, without gaps in x, `outRows` rows apart in y. */
export interface ProjectionRows {
  readonly groups: number;
  readonly rows: number;
  readonly outRows: number;
  /** Whether they are added to what y holds. Default false. */
  readonly accumulate?: boolean;
}

export class Projection {
  readonly inDim: number;
  readonly outDim: number;
  readonly #runtime: Runtime;
  readonly #matrix: PackedMatrix;
  readonly #bias: EngineTensor<"float32"> | undefined;

  /** @throws {RangeError} not enough memory */
  constructor(runtime: Runtime, { matrix, layout, inDim, outDim, bias }: ProjectionParameters) {
    this.inDim = inDim;
    this.outDim = outDim;
    this.#runtime = runtime;
    this.#matrix = PackedMatrix.pack(
      runtime,
      { data: matrix, dims: layout === "outIn" ? [outDim, inDim] : [inDim, outDim] },
      layout,
    );
    try {
      this.#bias = bias && storeNumbers(runtime, bias);
    } catch (error) {
      this.#matrix.dispose();
      throw error;
    }
  }

  /** Reads rows of x from the address `x` on, and writes rows of y from the address `y` on. */
  apply(call: Call, x: number, y: number, { groups, rows, outRows, accumulate = false }: ProjectionRows): void {
    if (groups * rows === 0) return;
    const { inDim, outDim } = this;
    const isDense = rows === outRows;
    const b = this.#matrix.ptrFor(call, "this layer");
    multiply(call, {
      numEntries: isDense ? 1 : groups,
      entryAt: (group) => ({
        a: x + 4 * group * rows * inDim,
        b,
        out: y + 4 * group * outRows * outDim,
      }),
      bias: this.#bias?.ptr ?? 0,
      rows: isDense ? groups * rows : rows,
      columns: outDim,
      depth: inDim,
      aRowStride: inDim,
      bRowStride: outDim,
      outRowStride: outDim,
      isATransposed: false,
      isBTransposed: false,
      isPacked: true,
      accumulate,
      activation: undefined,
    });
  }

  /** The parameters of some columns. */
  columnsAt(operation: string, columns: readonly number[]): ProjectionParameters {
    return {
      ...{ layout: "inOut", inDim: this.inDim, outDim: columns.length },
      matrix: this.#matrix.columnsAt(operation, columns),
      bias: this.#bias && Float32Array.from(columns, (column) => this.#bias!.data[column]!),
    };
  }

  /** W [inDim, outDim] */
  matrix(operation: string): Float32Array {
    return this.#whole(operation).matrix;
  }

  #whole(operation: string): ProjectionParameters {
    return this.columnsAt(
      operation,
      Array.from({ length: this.outDim }, (_, column) => column),
    );
  }

  /** The parameters with some rows of W. */
  rowsAt(operation: string, rows: readonly number[]): ProjectionParameters {
    const { outDim } = this;
    const whole = this.#whole(operation);
    const matrix = new Float32Array(rows.length * outDim);
    for (const [index, row] of rows.entries()) matrix.set(whole.matrix.subarray(row * outDim, (row + 1) * outDim), index * outDim);
    return { ...whole, inDim: rows.length, matrix };
  }

  dispose(): void {
    this.#matrix.dispose();
    this.#bias?.dispose();
  }
}

/** Numbers in the engine's memory. */
export function storeNumbers(runtime: Runtime, numbers: Float32Array): EngineTensor<"float32"> {
  const tensor = createTensor(runtime, [numbers.length], "float32");
  tensor.data.set(numbers);
  return tensor;
}
