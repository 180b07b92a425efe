/// <reference lib="esnext.disposable" preserve="true" />
/** A matrix packed once for many products. */
import { Call } from "../call/call.js";
import { isObject, oneOf, show, wrongMoment, wrongValue } from "../check.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import { disown, own, Span } from "../runtime/span.js";
import { markClass } from "../runtime/markClass.js";
import type { TensorLike } from "../call/tensor.js";

export const WEIGHT_LAYOUTS = ["inOut", "outIn"] as const;
/** How the matrix of y = x W lies: "inOut" is W [in, out], as in Keras; "outIn" is its transpose [out, in], as in PyTorch. */
export type WeightLayout = (typeof WEIGHT_LAYOUTS)[number];

export const PACK_MATRIX: Operation = { name: "packMatrix", options: [], places: [] };

/**
 * A right-hand side of products in the order in which the kernels read it, in the engine's memory; made by `engine.packMatrix`.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * const packed = engine.packMatrix({ data: Float32Array.of(1, 2, 3, 4, 5, 6), dims: [3, 2] }, "outIn");
 * console.log(packed.depth, packed.columns); // 2 3
 * packed.dispose();
 */
export class PackedMatrix {
  static {
    markClass(this.prototype, "PackedMatrix");
  }

  /** Rows of W [depth, columns]: the number of products in each sum. */
  readonly depth: number;
  /** Columns of W. */
  readonly columns: number;
  readonly #span: Span;
  #isDisposed = false;

  /** @internal */
  constructor(depth: number, columns: number, span: Span) {
    this.depth = depth;
    this.columns = columns;
    this.#span = span;
    own(this, span);
    Object.freeze(this); // its sizes bound what the kernels read
  }

  /** Frees the memory. Disposing twice does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    disown(this);
    this.#span.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Whether a value is a packed matrix, not a proxy of one.
   * @internal
   */
  static is(value: unknown): value is PackedMatrix {
    return isObject(value) && #span in value;
  }

  /**
   * Address of the panels.
   * @internal
   * @throws {RangeError} a matrix of another engine
   * @throws {Error} after `dispose`
   */
  ptrFor(call: Call, name: string): number {
    if (this.#isDisposed || this.#span.runtime.isDisposed) throw wrongMoment(call.operation, `"${name}" has been disposed of`);
    if (this.#span.runtime !== call.runtime) throw wrongValue(call.operation, `"${name}" is a packed matrix of another engine`);
    return this.#span.ptr;
  }

  /**
   * Columns of W [depth, indices.length], as they were before they were packed.
   * @internal
   * @throws {RangeError} not enough memory
   */
  columnsAt(operation: string, indices: readonly number[]): Float32Array {
    const { runtime, ptr } = this.#span;
    const { depth, columns } = this;
    const call = new Call(runtime, operation);
    const found = call.result(undefined, [depth, indices.length]);
    call.onScratch(4 * indices.length, (indicesPtr) => {
      runtime.memory.i32.set(indices, indicesPtr >>> 2);
      runtime.kernels.unpackColumns(ptr, depth, columns, indicesPtr, indices.length, found.ptr);
    });
    return found.data as Float32Array;
  }

  /**
   * See `Engine.packMatrix`.
   * @internal
   */
  static pack(runtime: Runtime, matrix: TensorLike, layout?: WeightLayout | null): PackedMatrix {
    const operation = PACK_MATRIX.name;
    const call = new Call(runtime, operation);
    const isTransposed = oneOf(operation, "layout", layout ?? "inOut", WEIGHT_LAYOUTS) === "outIn";
    const operand = call.numbers("b", matrix);
    const { dims } = operand;
    if (dims.length !== 2) {
      const expected = isTransposed ? "[out, in]" : "[in, out]";
      throw wrongValue(operation, `"b" has dims ${show(dims)}, expected ${expected}`);
    }
    call.close();
    const [depth, columns] = (isTransposed ? [dims[1], dims[0]] : dims) as [number, number];
    const { kernels } = runtime;
    const span = new Span(runtime, operation, kernels.packedBytes(depth, columns));
    try {
      call.onScratch(0, () => {
        if (operand.count > 0) kernels.packMatrix(operand.ptr, isTransposed ? 1 : 0, depth, columns, span.ptr);
      });
    } catch (error) {
      span.release();
      throw error;
    }
    return new PackedMatrix(depth, columns, span);
  }
}
