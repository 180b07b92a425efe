/// <reference lib="esnext.disposable" preserve="true" />
/** The state of linear attention: a summary of earlier keys and values, for tokens that arrive over time. */
import { Call } from "../call/call.js";
import { optional, show, wrongKind, wrongMoment, wrongValue } from "../check.js";
import { attendLinear, type PlacedStates, readSums } from "./linearAttention.js";
import { INPUT_OPTIONS, type LinearInputs, readLinearCall } from "./linearCall.js";
import { type FeatureFunction, LINEAR_NAMES } from "./linearConfig.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import { disown, own, Span } from "../runtime/span.js";
import { markClass } from "../runtime/markClass.js";
import { type PlaceTensor, type OwnUint8Array, type ResultTensor, type TensorLike } from "../call/tensor.js";
import {
  CREATE_LINEAR_ATTENTION_STATE,
  type LinearAttentionStateOptions,
  type LinearStateConfig,
  readLinearStateConfig,
} from "./stateConfig.js";
import { type LinearSequence, readLinearImage, writeLinearImage } from "./stateImage.js";

export const STEP: Operation = {
  name: "LinearAttentionState.step",
  options: INPUT_OPTIONS,
  foreign: LINEAR_NAMES,
  places: ["out"],
};

/** Bytes of the state of one head, and of all heads. */
function stateBytes(runtime: Runtime, { sizes, kind }: LinearStateConfig): { head: number; all: number } {
  const head = runtime.kernels.linearStateBytes(sizes.featureDim, sizes.valueDim, kind.chunkSize);
  return { head, all: head * sizes.batchSize * sizes.numKvHeads };
}

/**
 * A summary of earlier keys and values, for linear attention on tokens that arrive over time; made by
 * `engine.createLinearAttentionState`. Memory, and time for each token, do not depend on how many came before. A sequence in any
 * pieces gives the bits of one call over the whole sequence.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * const state = engine.createLinearAttentionState({ numKvHeads: 8, headDim: 64 });
 * const rows = (count) => ({ data: new Float32Array(count * 8 * 64).fill(0.1), dims: [1, count, 8, 64] });
 * state.step(rows(100), rows(100), rows(100)); // prefill
 * console.log(state.step(rows(1), rows(1), rows(1)).dims, state.length); // [1, 1, 8, 64] 101
 * state.dispose();
 * engine.dispose();
 */
export class LinearAttentionState {
  static {
    markClass(this.prototype, "LinearAttentionState");
  }

  readonly #runtime: Runtime;
  readonly #config: LinearStateConfig;
  readonly #span: Span;
  #sequences: readonly LinearSequence[];
  #isDisposed = false;
  /** Whether a call failed while it wrote the state. */
  #isBroken = false;
  /** Incremented with each change of the content. */
  #changes = 0;

  /** @internal */
  constructor(call: Call, config: LinearStateConfig, sequences: readonly LinearSequence[]) {
    this.#runtime = call.runtime;
    this.#config = config;
    this.#sequences = sequences;
    const { all } = stateBytes(call.runtime, config);
    this.#span = new Span(call.runtime, call.operation, all);
    call.runtime.memory.u8.fill(0, this.#span.ptr, this.#span.ptr + all);
    own(this, this.#span);
  }

  /**
   * An empty state, or one that begins with `initialState`.
   * @internal
   */
  static create(runtime: Runtime, options: LinearAttentionStateOptions): LinearAttentionState {
    const operation = CREATE_LINEAR_ATTENTION_STATE.name;
    const [call, { initialState, ...sizesAndKind }] = Call.of(runtime, CREATE_LINEAR_ATTENTION_STATE, options);
    const config = readLinearStateConfig(operation, sizesAndKind);
    const given = optional(initialState, (value) => call.numbers("initialState", value));
    const { batchSize, numKvHeads, featureDim, valueDim } = config.sizes;
    const dims = [batchSize, numKvHeads, featureDim, valueDim];
    if (given && config.kind.isNormalized) {
      throw wrongKind(operation, '"initialState" cannot be given where results are normalized: it holds no normalizer');
    }
    if (given && show(given.dims) !== show(dims)) {
      const axes = "batchSize, numKvHeads, features, valueDim";
      throw wrongValue(operation, `"initialState" has dims ${show(given.dims)}, expected ${show(dims)} (${axes})`);
    }
    runtime.assertReady(operation); // a getter may have disposed of the engine
    call.close();
    const empty = Array.from({ length: batchSize }, () => ({ length: 0, openKeys: 0 }));
    const state = new LinearAttentionState(call, config, empty);
    if (!given) return state;
    try {
      call.onScratch(0, () => state.#writeSums(given.ptr));
    } catch (error) {
      state.dispose();
      throw error;
    }
    return state;
  }

  /** Rows [batch, numKvHeads, features, valueDim] become the panels of the states. */
  #writeSums(ptr: number): void {
    const { kind, sizes } = this.#config;
    const { batchSize, numKvHeads, featureDim, valueDim } = sizes;
    this.#runtime.kernels.packSums(ptr, this.#span.ptr, batchSize * numKvHeads, featureDim, valueDim, kind.chunkSize);
  }

  /**
   * Keys of the longest sequence.
   * @throws {Error} after `dispose`
   */
  get length(): number {
    return this.lengths.reduce((most, length) => Math.max(most, length), 0);
  }

  /**
   * Keys of each sequence [batch].
   * @throws {Error} after `dispose`
   */
  get lengths(): number[] {
    this.#assertReady("LinearAttentionState.lengths");
    return this.#sequences.map(({ length }) => length);
  }

  /**
   * Takes in keys and values, and computes their rows: row i reads the earlier state and the keys up to i. One token or many.
   *
   * @param q  [batch, seqLen, numHeads, headDim], another layout, [batch, seqLen, numHeads · headDim] with `numHeads`, or [seqLen, headDim];
   *           numHeads is a multiple or a divisor of numKvHeads
   * @param k  [batch, seqLen, numKeyHeads, headDim] in the same layout and rank
   * @param v  [batch, seqLen, numKvHeads, valueDim] in the same layout
   * @returns `out` where given, else { type: "float32", data, dims }, [batch, seqLen, max(numHeads, numKvHeads), valueDim] in the same
   *   layout
   * @throws {TypeError} the wrong kind of value, an unknown option, or a decay or beta that the state's rule does not use
   * @throws {RangeError} sizes that do not fit, results that overlap operands, or not enough memory; the state stays as it was
   * @throws {Error} after `dispose`, and after a call that failed on a worker
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const state = engine.createLinearAttentionState({ numKvHeads: 1, headDim: 1, rule: "gated" });
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * const decay = { data: new Float32Array([-Math.LN2]), dims: [1] }; // halves the state
   * state.step(column(1), column(1), column(8), { decay });
   * console.log([...state.step(column(1), column(1), column(1), { decay }).data]); // [5]
   * engine.dispose();
   */
  step<Out extends PlaceTensor = ResultTensor>(q: TensorLike, k: TensorLike, v: TensorLike, options: LinearInputs<Out> = {}): Out {
    const operation = STEP.name;
    this.#assertReady(operation);
    const [call, given] = Call.of(this.#runtime, STEP, options);
    const { kind, sizes } = this.#config;
    const changes = this.#changes;
    const linear = readLinearCall(call, { q, k, v }, given, kind, sizes);
    this.#assertReady(operation); // a getter may have disposed of the state
    if (changes !== this.#changes) throw wrongMoment(operation, "this state was changed while the arguments were read");
    this.#changes++;
    const states = this.#placed();
    let out: Out;
    try {
      out = attendLinear(linear, states) as Out;
    } finally {
      this.#isBroken = states.isBeingWritten;
    }
    const usesChunks = sizes.decayDim <= 1;
    this.#sequences = this.#sequences.map((sequence, batch) => {
      const length = sequence.length + (linear.sequences[batch]?.keyLength ?? 0);
      return { length, openKeys: usesChunks ? length % kind.chunkSize : 0 };
    });
    return out;
  }

  /**
   * The current S of each head, including the keys of the open chunk: [batch, numKvHeads, features, valueDim].
   * @throws {RangeError} not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const state = engine.createLinearAttentionState({ numKvHeads: 1, headDim: 2, valueDim: 1, rule: "linear" });
   * const row = (...data) => ({ data: Float32Array.from(data), dims: [1, data.length] });
   * state.step(row(1, 1), row(2, 3), row(5));
   * console.log([...state.sums().data]); // [10, 15]
   * engine.dispose();
   */
  sums(): ResultTensor {
    const operation = "LinearAttentionState.sums";
    this.#assertReady(operation);
    return readSums(new Call(this.#runtime, operation), this.#config.kind, this.#config.sizes, this.#placed());
  }

  /**
   * An independent copy of the state.
   * @throws {RangeError} not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const state = engine.createLinearAttentionState({ numKvHeads: 1, headDim: 4 });
   * const x = engine.tensor([1, 8, 1, 4]);
   * state.step(x, x, x);
   * const twin = state.fork();
   * twin.step(x, x, x);
   * console.log(state.length, twin.length); // 8 16
   * engine.dispose();
   */
  fork(): LinearAttentionState {
    const operation = "LinearAttentionState.fork";
    this.#assertReady(operation);
    const twin = new LinearAttentionState(new Call(this.#runtime, operation), this.#config, this.#sequences);
    const { ptr } = this.#span;
    this.#runtime.memory.u8.copyWithin(twin.#span.ptr, ptr, ptr + stateBytes(this.#runtime, this.#config).all);
    return twin;
  }

  /**
   * The content as bytes, which any build can read.
   * @throws {Error} after `dispose`
   */
  serialize(): OwnUint8Array {
    this.#assertReady("LinearAttentionState.serialize");
    const { ptr } = this.#span;
    const { all } = stateBytes(this.#runtime, this.#config);
    return writeLinearImage(this.#config, this.#sequences, this.#runtime.memory.u8.subarray(ptr, ptr + all));
  }

  /**
   * See `Engine.restoreLinearAttentionState`.
   * @internal
   */
  static restore(runtime: Runtime, bytes: Uint8Array, featureMap?: FeatureFunction | null): LinearAttentionState {
    const operation = "restoreLinearAttentionState";
    runtime.assertReady(operation);
    const bytesOf = (config: LinearStateConfig): number => stateBytes(runtime, config).all;
    const { options, sequences, states } = readLinearImage(operation, bytes, featureMap ?? undefined, bytesOf);
    const state = LinearAttentionState.create(runtime, options);
    runtime.memory.u8.set(states, state.#span.ptr);
    state.#sequences = sequences;
    return state;
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

  #placed(): PlacedStates {
    return { ptr: this.#span.ptr, openKeys: this.#sequences.map(({ openKeys }) => openKeys), isBeingWritten: false };
  }

  #assertReady(operation: string): void {
    this.#runtime.assertReady(operation);
    if (this.#isDisposed) throw wrongMoment(operation, "this state has been disposed of");
    if (this.#isBroken) throw wrongMoment(operation, "a call failed while it wrote this state; restore it from bytes");
  }
}
