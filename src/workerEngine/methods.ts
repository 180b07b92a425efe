/**
 * The members that the calling thread may use of objects in a worker, by class. Both sides read this table, and a test compares
 * it with the classes and the descriptors of their operations. It is only data, so that a page does not load operations that its
 * worker has.
 */
import { ATTENTION_PLACES } from "../attention/options.js";
import type { KVCache } from "../cache/kvCache.js";
import type { Operation } from "../call/operation.js";
import type { EngineTensor } from "../call/tensor.js";
import type { AttentionEngine } from "../engine/attentionEngine.js";
import type { Engine } from "../engine/engine.js";
import type { LinearAttentionState } from "../linear/linearAttentionState.js";
import type { MultiHeadAttention } from "../multiHead/multiHeadAttention.js";
import type { PackedMatrix } from "../product/packedMatrix.js";

/** The classes whose objects stay in the worker. */
export interface Classes {
  AttentionEngine: AttentionEngine;
  Engine: Engine;
  EngineTensor: EngineTensor;
  KVCache: KVCache;
  LinearAttentionState: LinearAttentionState;
  MultiHeadAttention: MultiHeadAttention;
  PackedMatrix: PackedMatrix;
}
export type ClassName = keyof Classes;

/** The facts about a method that its calls need. */
interface Method extends Pick<Operation, "reads"> {
  /** Its name in errors. Default the method's name for engines, "Class.method" for other objects. */
  readonly name?: string;
  /** Options that receive results. Default none. */
  readonly places?: readonly string[];
  /** Whether it only checks its places, and writes nothing to them. */
  readonly isPlan?: true;
  /** The class of the object that it makes, if that stays in the worker. */
  readonly makes?: ClassName;
}

interface Members {
  /** By name. */
  readonly methods: Readonly<Record<string, Method>>;
  /** Properties that may change: the calling thread gets promises of them. Default none. */
  readonly properties?: readonly string[];
}

/** Properties that never change: the calling thread has them as soon as it has the object. */
const FACTS = { EngineTensor: ["type", "dims"], MultiHeadAttention: ["config"], PackedMatrix: ["depth", "columns"] } as const;
export type Fact = (typeof FACTS)[keyof typeof FACTS][number];
export const factsOf = (type: ClassName): readonly Fact[] => (FACTS as Partial<Record<ClassName, readonly Fact[]>>)[type] ?? [];

/** For operations that return their only result. */
const OUT = { places: ["out"] };
/** For operations with the results of attention. */
const ATTENTION = { places: ATTENTION_PLACES };

// prettier-ignore
const ENGINE: Members = {
  methods: {
    tensor: { makes: "EngineTensor" },
    scaledDotProductAttention: ATTENTION,
    planAttention: { places: ATTENTION_PLACES, isPlan: true },
    mergeAttention: { places: ["out", "logSumExp"] },
    createKVCache: { makes: "KVCache" },
    restoreKVCache: { makes: "KVCache" },
    dispose: {},
  },
  properties: ["info"],
};

// prettier-ignore
export const CLASSES: Readonly<Record<ClassName, Members>> = {
  AttentionEngine: ENGINE,
  Engine: {
    ...ENGINE,
    methods: {
      ...ENGINE.methods,
      additiveAttention: ATTENTION, bilinearAttention: ATTENTION, cosineAttention: ATTENTION,
      softmax: OUT, layerNorm: OUT, rmsNorm: OUT, rotary: OUT, activate: OUT, add: OUT, linearAttention: OUT,
      topKAttention: ATTENTION, localAttention: ATTENTION,
      hardAttention: { places: [...ATTENTION_PLACES, "picks"] },
      matmul: { ...OUT, reads: "accumulate" },
      rotaryTables: {},
      sinusoidalPositions: {},
      packMatrix: { makes: "PackedMatrix" },
      createMultiHeadAttention: { makes: "MultiHeadAttention" },
      createLinearAttentionState: { makes: "LinearAttentionState" },
      restoreLinearAttentionState: { makes: "LinearAttentionState" },
    },
  },
  EngineTensor: {
    methods: {
      read: { name: "tensor.read" },
      write: { name: "tensor.write" },
      reshape: { name: "reshape", makes: "EngineTensor" },
      dispose: { name: "tensor.dispose" },
    },
  },
  KVCache: {
    methods: {
      append: {}, read: {}, truncate: {}, remove: {}, reorder: {}, serialize: {}, dispose: {},
      attend: { places: ATTENTION_PLACES },
      fork: { makes: "KVCache" },
    },
    properties: ["length", "lengths"],
  },
  LinearAttentionState: {
    methods: {
      sums: {}, serialize: {}, dispose: {},
      step: OUT,
      fork: { makes: "LinearAttentionState" },
    },
    properties: ["length", "lengths"],
  },
  MultiHeadAttention: {
    methods: {
      forward: { places: [...ATTENTION_PLACES, "averageWeights"], reads: "accumulate" },
      projectKeys: { makes: "KVCache" },
      createCache: { makes: "KVCache" },
      pruneHeads: { makes: "MultiHeadAttention" },
      circuits: {},
      headImportance: {},
      dispose: {},
    },
  },
  PackedMatrix: { methods: { dispose: {} } },
};

/** A method that is called, or a property that is read. */
export interface Member extends Method {
  readonly name: string;
}

/** The member of a name; undefined if it is not public. */
export function memberOf(type: ClassName, name: string): Member | undefined {
  const { methods, properties } = CLASSES[type];
  const method = Object.hasOwn(methods, name) ? methods[name] : properties?.includes(name) ? {} : undefined;
  const isOfEngine = type === "AttentionEngine" || type === "Engine";
  return method && { name: isOfEngine ? name : `${type}.${name}`, ...method };
}
