/// <reference lib="esnext.disposable" preserve="true" />
/** Derives the types of objects in a worker from those of an engine and its objects, so that new operations are included. */
import type { Integers } from "../check.js";
import type {
  ElementArrays,
  ElementType,
  EngineTensor,
  Placement,
  PlaceTensor,
  OwnArrays,
  ResultTensor,
  SyncTensor,
} from "../call/tensor.js";
import type { Classes, Fact } from "./methods.js";

/** An AbortSignal, as far as calls need one. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the type in AbortSignal
  readonly reason?: any;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Options of every call of a worker engine; a call without options takes them in an additional last argument. */
export interface CallOptions {
  /**
   * An AbortSignal that cancels the call: its promise is rejected with the signal's reason at once. A call still in the queue is
   * not made; one that the worker has begun runs to its end, and its result is dropped, except for what it writes to places in a
   * SharedArrayBuffer. Arrays that were moved stay detached either way. Default none.
   */
  signal?: AbortSignalLike | null | undefined;
  /**
   * Moves the data of tensors, and arrays passed as arguments, to the worker instead of copying them: the caller's arrays are
   * empty (detached) afterwards. Each must span its whole buffer. Places for results and lists in options are not moved. Buffers
   * that cannot be moved, such as the memory of a WebAssembly module, are refused; Node 20 copies them. Default false.
   */
  transfer?: boolean | null | undefined;
}

/** A tensor in the memory of an engine in a worker; made by the engine's `tensor`. Operations read it and write to it in place. */
export interface WorkerTensor<T extends ElementType = ElementType> {
  /** Type of the elements. */
  readonly type: T;
  /** Sizes, outermost first. */
  readonly dims: readonly number[];
  /** A copy of the elements. */
  read(options?: CallOptions): Promise<OwnArrays[T]>;
  /**
   * Replaces all elements.
   * @throws {TypeError} another kind of array @throws {RangeError} another number of elements
   */
  write(data: ElementArrays[T], options?: CallOptions): Promise<void>;
  /** The same memory under other sizes. It lives until both tensors are disposed of. */
  reshape(dims: Integers, options?: CallOptions): Promise<WorkerTensor<T>>;
  /** Frees the memory. Disposing twice does nothing. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Objects that stay in the worker, other than engines and tensors. */
type Staying = Classes[Exclude<keyof Classes, "AttentionEngine" | "Engine" | "EngineTensor">];

/**
 * The counterpart of an object that stays in the worker: methods return promises, and properties that may change are promises.
 */
export type Asynchronous<T> = {
  readonly [Name in Exclude<keyof T, symbol | "dispose">]: T[Name] extends Method
    ? AsynchronousMethod<T[Name]>
    : Name extends Fact
      ? T[Name]
      : Promise<T[Name]>;
} & {
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

type Method = (...args: never) => unknown;

type AsynchronousMethod<M> = M extends (...args: infer Arguments) => infer Result
  ? IsPlace<Result> extends true
    ? <Out extends Place = ResultTensor>(...args: [...WithPlace<Arguments, Out>, options?: CallOptions]) => Promise<Out>
    : (...args: [...{ [Index in keyof Arguments]: Argument<Arguments[Index]> }, options?: CallOptions]) => Promise<Returned<Result>>
  : never;

/** A view of a tensor in the memory of an engine in a worker. */
export interface WorkerView<T extends ElementType = ElementType> extends Placement {
  readonly data: WorkerTensor<T>;
  readonly dims: Integers;
}

/** A place for results: one of the caller's, or one in the worker. */
export type Place = PlaceTensor | WorkerTensor<"float32"> | WorkerView<"float32">;

/** Whether a method returns the place that it was given, or a new result. */
type IsPlace<Result> = [PlaceTensor] extends [Result] ? ([Result] extends [PlaceTensor] ? true : false) : false;

type WithPlace<Arguments extends readonly unknown[], Out> = {
  [Index in keyof Arguments]: "out" extends keyof NonNullable<Arguments[Index]>
    ? Omit<Argument<NonNullable<Arguments[Index]>>, "out"> & { out?: Out | null | undefined }
    : Argument<Arguments[Index]>;
};

type Primitive = undefined | null | boolean | number | string | bigint;
type TensorData = { readonly data: object; readonly dims: Integers } | SyncTensor;

/** Tensors may be in the worker; functions cannot be sent there. */
type Argument<A> = A extends Primitive
  ? A
  : A extends Staying
    ? Asynchronous<A>
    : A extends TensorData
      ? A | WorkerTensor | WorkerView
      : A extends Method
        ? never
        : A extends readonly unknown[]
          ? { readonly [Index in keyof A]: Argument<A[Index]> }
          : A extends ArrayLike<unknown>
            ? A
            : { [Name in keyof A]: Argument<A[Name]> } & CallOptions;

type Returned<R> = R extends Staying ? Asynchronous<R> : R extends EngineTensor<infer T> ? WorkerTensor<T> : R;
