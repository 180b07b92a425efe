/// <reference lib="esnext.disposable" preserve="true" />
/** Tensors: those that callers pass, those that they get back, and those in the engine's memory. */
import { type Integers, oneOf, product, readDims, show, wrongKind, wrongMoment, wrongValue } from "../check.js";
import type { Runtime } from "../runtime/runtime.js";
import { disown, own, Span } from "../runtime/span.js";
import { markClass } from "../runtime/markClass.js";

/** A Float16Array, where the host has it: not every TypeScript that the package supports knows it. */
interface Float16Numbers {
  readonly [Symbol.toStringTag]: "Float16Array";
  readonly [index: number]: number;
  readonly length: number;
}

/** Arrays of numbers that say what they hold. */
type Numbers = Float32Array | Float64Array | Float16Numbers | readonly number[];

/**
 * Where the elements of a tensor lie in its data, counted in elements: [i, j, …] at offset + i · strides[0] + j · strides[1] + ….
 * Without both, the data hold the elements one after the other and nothing else.
 */
export interface Placement {
  /** From one element to the next along each axis, at least 0. Default that of elements one after the other. */
  readonly strides?: Integers | null | undefined;
  /** Where the first element lies. Default 0. */
  readonly offset?: number | bigint | null | undefined;
}

/** Numbers and their sizes: plain objects, and the engine's own tensors. The data are flat, or a tensor of the engine of which this is a view. */
export interface DataTensor extends Placement {
  readonly data: Numbers | EngineTensor<"float32">;
  readonly dims: Integers;
  readonly type?: string | null | undefined;
}

/** The same, or the bits of float16 or bfloat16, with `type` "float16" or "bfloat16". */
export interface TypedTensor extends Placement {
  readonly data: Numbers | Uint16Array;
  readonly dims: Integers;
  readonly type: string;
}

/** A tensor of onnxruntime or transformers.js, on the CPU: what its data are is known only when it is read. */
export interface RuntimeTensor {
  readonly data: object;
  readonly dims: Integers;
  readonly type: string;
  readonly location: string;
}

/** A tensor of tfjs or jax-js: `dataSync` returns its data at once, an array as in DataTensor or MaskTensor. */
export interface SyncTensor {
  readonly shape: Integers;
  dataSync(): object;
}

/** A tensor of numbers that operations accept. */
export type TensorLike = DataTensor | TypedTensor | RuntimeTensor | SyncTensor;

/** A boolean mask: integers or booleans, other than 0 where a query may attend. */
export interface MaskTensor extends Placement {
  readonly data:
    | EngineTensor<"uint8">
    | Uint8Array
    | Uint8ClampedArray
    | Int8Array
    | Uint16Array
    | Int16Array
    | Uint32Array
    | Int32Array
    | BigUint64Array
    | BigInt64Array
    | readonly (boolean | number | bigint)[];
  readonly dims: Integers;
  readonly type?: string | null | undefined;
}

/** A mask that operations accept. */
export type MaskLike = MaskTensor | RuntimeTensor | SyncTensor;

/** Numbers in float32 and their sizes. */
export interface Float32Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/**
 * The caller's place for a result: data of the exact length, a view of some, or a tensor in the engine's memory. float16, in a
 * Float16Array or with `type` "float16" in a Uint16Array, receives the result rounded.
 */
export type PlaceTensor = Placement &
  (
    | {
        readonly data: Float32Array | Float16Numbers | EngineTensor<"float32">;
        readonly dims: Integers;
        readonly type?: string | null | undefined;
      }
    | { readonly data: Float32Array | Float16Numbers | Uint16Array; readonly dims: Integers; readonly type: string }
  );

/**
 * An array that lies in an ArrayBuffer, and not in memory that threads share: `Float32Array<ArrayBuffer>` for a TypeScript that
 * tells the two apart, from 5.7 on.
 */
export type OwnFloat32Array = ReturnType<Float32ArrayConstructor["of"]>;
/** The same for bytes. */
export type OwnUint8Array = ReturnType<Uint8ArrayConstructor["of"]>;

/** The result of an operation that was not given `out`: ordinary arrays that belong to the caller. */
export interface ResultTensor extends Float32Tensor {
  readonly type: "float32";
  readonly data: OwnFloat32Array;
  readonly dims: number[];
}

/** The array that holds the elements of each type. */
export interface ElementArrays {
  float32: Float32Array;
  uint8: Uint8Array;
}
/** Copies of them. */
export interface OwnArrays {
  float32: OwnFloat32Array;
  uint8: OwnUint8Array;
}
/** Element types of tensors in the engine's memory. */
export type ElementType = keyof ElementArrays;

const BYTES_PER_ELEMENT: Record<ElementType, number> = { float32: 4, uint8: 1 };

/** Elements of a tensor whose sizes have been read: a safe integer. */
export const countOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** Keeps a tensor, and so its memory, alive as long as one of its views is in use. */
const owners = new WeakMap<object, object>();

/**
 * A tensor in the engine's memory, made by `engine.tensor`. Operations read it and write to it in place: nothing is copied.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * const x = engine.tensor([2, 3]);
 * x.data.set([1, 2, 3, 4, 5, 6]);
 * const flat = x.reshape([6]); // shares the memory
 * console.log(flat.data[5]); // 6
 * flat.dispose();
 * x.dispose();
 */
export class EngineTensor<T extends ElementType = ElementType> {
  static {
    markClass(this.prototype, "EngineTensor");
  }

  readonly #type: T;
  readonly #dims: readonly number[];
  readonly #span: Span;
  #view: ElementArrays[T] | undefined;
  #isDisposed = false;

  /** @internal */
  constructor(type: T, dims: readonly number[], span: Span) {
    this.#type = type;
    this.#dims = Object.freeze([...dims]);
    this.#span = span;
    own(this, span);
  }

  /** Type of the elements. */
  get type(): T {
    return this.#type;
  }

  /** Sizes, outermost first. */
  get dims(): readonly number[] {
    return this.#dims;
  }

  /**
   * The elements: a view of the engine's memory. Read `data` again after calls: when memory grows, older views become empty.
   * @throws {Error} after `dispose` of the tensor or of the engine
   */
  get data(): ElementArrays[T] {
    this.assertUsable("tensor.data");
    const { runtime, ptr } = this.#span;
    const { buffer } = runtime.memory;
    if (this.#view?.buffer !== buffer) {
      const view: Float32Array | Uint8Array =
        this.type === "float32"
          ? new Float32Array(buffer, ptr, countOf(this.dims))
          : new Uint8Array(buffer, ptr, countOf(this.dims));
      this.#view = view as ElementArrays[T];
      owners.set(view, this);
    }
    return this.#view;
  }

  /**
   * A tensor of other sizes on the same memory, which lives until both tensors are disposed of.
   * @throws {RangeError} sizes with another product
   * @throws {Error} after `dispose`
   */
  reshape(dims: Integers): EngineTensor<T> {
    this.assertUsable("reshape");
    const sizes = readDims("reshape", "", "dims", dims);
    if (countOf(sizes) !== countOf(this.dims)) {
      throw wrongValue(
        "reshape",
        `"dims" ${show(sizes)} hold ${product(sizes, countOf(sizes))} elements, expected ${product(this.dims, countOf(this.dims))}`,
      );
    }
    return new EngineTensor(this.type, sizes, this.#span.share());
  }

  /** Frees the memory. Disposing twice does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#view = undefined;
    disown(this);
    this.#span.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  assertUsable(operation: string, name = "this tensor"): void {
    this.#span.runtime.assertAlive(operation);
    if (this.#isDisposed) throw wrongMoment(operation, `${name} has been disposed of`);
  }

  /**
   * The value if it is a tensor in the memory of this engine, otherwise undefined.
   * @internal
   */
  static of(operation: string, name: string, value: object, runtime: Runtime): EngineTensor | undefined {
    if (!(#span in value)) {
      if (!(value instanceof EngineTensor)) return undefined;
      throw wrongKind(operation, `"${name}" is a proxy of an engine's tensor, expected the tensor itself`);
    }
    if (value.#isDisposed || (value.#span.runtime.isDisposed && value.#span.runtime !== runtime)) {
      throw wrongMoment(operation, `"${name}" has been disposed of`);
    }
    if (value.#span.runtime !== runtime) return undefined;
    return value;
  }

  /** @internal */
  get ptr(): number {
    return this.#span.ptr;
  }
}

/**
 * A new tensor of zeros in the engine's memory.
 * @internal
 */
export function createTensor<T extends ElementType>(runtime: Runtime, dims: Integers, type: T): EngineTensor<T> {
  runtime.assertReady("tensor");
  const sizes = readDims("tensor", "", "dims", dims);
  oneOf<ElementType>("tensor", "type", type, ["float32", "uint8"]);
  runtime.assertReady("tensor"); // a getter may have disposed of the engine
  const bytes = countOf(sizes) * BYTES_PER_ELEMENT[type];
  const span = new Span(runtime, "tensor", bytes);
  runtime.memory.u8.fill(0, span.ptr, span.ptr + bytes);
  return new EngineTensor(type, sizes, span);
}
