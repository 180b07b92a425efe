/**
 * What the calling thread may ask of objects in a worker, by class: both sides read it here, and a test holds it against the classes
 * and the descriptors of their operations. These are data alone, so that a page does not load operations that its worker has.
 */
import { ATTENTION_PLACES } from "../attention/options.js";
import type { KVCache } from "../cache/kvCache.js";
import type { Operation } from "../call/operation.js";
import type { EngineTensor } from "../call/tensor.js";
import type { Engine } from "../engine/engine.js";
import type { FullEngine } from "../engine/fullEngine.js";
import type { LinearAttentionState } from "../linear/linearAttentionState.js";
import type { MultiHeadAttention } from "../multiHead/multiHeadAttention.js";
import type { PackedMatrix } from "../product/packedMatrix.js";

/** The classes whose objects stay in the worker. */
export interface Classes {
  Engine: Engine;
  FullEngine: FullEngine;
  EngineTensor: EngineTensor;
  KVCache: KVCache;
  LinearAttentionState: LinearAttentionState;
  MultiHeadAttention: MultiHeadAttention;
  PackedMatrix: PackedMatrix;
}
export type ClassName = keyof Classes;

/** A method, or a property that may change. */
export interface Member extends Pick<Operation, "name" | "reads"> {
  /** Options that receive results. Default none. */
  readonly places?: readonly string[];
  /** Whether it only looks at its places: they get nothing. */
  readonly isPlan?: true;
  /** The class of what it makes, if that stays in the worker. */
  readonly makes?: ClassName;
}

export interface Members {
  /** By name, or "method.name" for a method of a method. */
  readonly methods: Readonly<Record<string, Member>>;
  /** Properties that may change: the calling thread gets promises of them. */
  readonly properties: Readonly<Record<string, Member>>;
  /** Properties that never change: the calling thread has them as soon as it has the object. */
  readonly facts: readonly string[];
}

const OUT = ["out"] as const;

// prettier-ignore
const ENGINE = {
  methods: {
    tensor: { name: "tensor", makes: "EngineTensor" },
    scaledDotProductAttention: { name: "scaledDotProductAttention", places: ATTENTION_PLACES },
    plan: { name: "scaledDotProductAttention", places: ATTENTION_PLACES, isPlan: true },
    mergeAttention: { name: "mergeAttention", places: ["out", "logSumExp"] },
    createKVCache: { name: "createKVCache", makes: "KVCache" },
    restoreKVCache: { name: "KVCache.restore", makes: "KVCache" },
    dispose: { name: "dispose" },
  },
  properties: { info: { name: "info" } },
  facts: [],
} as const satisfies Members;

// prettier-ignore
export const CLASSES = {
  Engine: ENGINE,
  FullEngine: {
    ...ENGINE,
    methods: {
      ...ENGINE.methods,
      matmul: { name: "matmul", places: OUT, reads: "accumulate" },
      packMatrix: { name: "packMatrix", makes: "PackedMatrix" },
      activate: { name: "activate", places: OUT },
      createMultiHeadAttention: { name: "createMultiHeadAttention", makes: "MultiHeadAttention" },
      "createMultiHeadAttention.fromTorch": { name: "createMultiHeadAttention.fromTorch", makes: "MultiHeadAttention" },
      softmax: { name: "softmax", places: OUT },
      layerNorm: { name: "layerNorm", places: OUT },
      rmsNorm: { name: "rmsNorm", places: OUT },
      rotary: { name: "rotary", places: OUT },
      rotaryTables: { name: "rotaryTables" },
      linearAttention: { name: "linearAttention", places: OUT },
      createLinearAttentionState: { name: "createLinearAttentionState", makes: "LinearAttentionState" },
      restoreLinearAttentionState: { name: "restoreLinearAttentionState", makes: "LinearAttentionState" },
    },
  },
  EngineTensor: {
    methods: {
      read: { name: "tensor.read" },
      write: { name: "tensor.write" },
      reshape: { name: "reshape", makes: "EngineTensor" },
      dispose: { name: "tensor.dispose" },
    },
    properties: {},
    facts: ["type", "dims"],
  },
  KVCache: {
    methods: {
      append: { name: "KVCache.append" },
      attend: { name: "KVCache.attend", places: ATTENTION_PLACES },
      truncate: { name: "KVCache.truncate" },
      fork: { name: "KVCache.fork", makes: "KVCache" },
      reorder: { name: "KVCache.reorder" },
      serialize: { name: "KVCache.serialize" },
      dispose: { name: "KVCache.dispose" },
    },
    properties: { length: { name: "KVCache.length" }, lengths: { name: "KVCache.lengths" } },
    facts: [],
  },
  LinearAttentionState: {
    methods: {
      step: { name: "LinearAttentionState.step", places: OUT },
      sums: { name: "LinearAttentionState.sums" },
      fork: { name: "LinearAttentionState.fork", makes: "LinearAttentionState" },
      serialize: { name: "LinearAttentionState.serialize" },
      dispose: { name: "LinearAttentionState.dispose" },
    },
    properties: { length: { name: "LinearAttentionState.length" }, lengths: { name: "LinearAttentionState.lengths" } },
    facts: [],
  },
  MultiHeadAttention: {
    methods: {
      forward: { name: "MultiHeadAttention.forward", places: [...ATTENTION_PLACES, "averageWeights"], reads: "accumulate" },
      projectKeys: { name: "MultiHeadAttention.projectKeys", makes: "KVCache" },
      createCache: { name: "MultiHeadAttention.createCache", makes: "KVCache" },
      pruneHeads: { name: "MultiHeadAttention.pruneHeads", makes: "MultiHeadAttention" },
      dispose: { name: "MultiHeadAttention.dispose" },
    },
    properties: {},
    facts: ["config"],
  },
  PackedMatrix: {
    methods: { dispose: { name: "PackedMatrix.dispose" } },
    properties: {},
    facts: ["depth", "columns"],
  },
} as const satisfies Readonly<Record<ClassName, Members>>;

/** What never changes of an object. */
export type Fact = (typeof CLASSES)[ClassName]["facts"][number];

/** The method or property that a call names; undefined for whatever is not public. */
export function memberOf(type: ClassName, path: string): Member | undefined {
  const { methods, properties }: Members = CLASSES[type];
  return Object.hasOwn(methods, path) ? methods[path] : Object.hasOwn(properties, path) ? properties[path] : undefined;
}
