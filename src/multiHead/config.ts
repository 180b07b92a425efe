/** The configuration of a multi-head layer: its sizes and options, read once and checked. */
import type { Call } from "../call/call.js";
import { counted, describe, float32, integer, oneOf, wrongKind, wrongValue, optional, isAbsent, isObject } from "../check.js";
import type { Operation } from "../call/operation.js";
import { readOptions } from "../call/readOptions.js";
import { type HostAngles, readAngles, type ReadRotaryConfig, type RotaryConfig } from "../rows/rotaryConfig.js";
import { WEIGHT_LAYOUTS, type WeightLayout } from "../product/packedMatrix.js";

export const FUSED_ORDERS = ["qkv", "heads", "groups"] as const;
/** How the columns of W^Q, W^K and W^V lie in one matrix. */
export type FusedOrder = (typeof FUSED_ORDERS)[number];

export const ROW_ORDERS = ["batchFirst", "sequenceFirst"] as const;
/** Which axis of rows comes first. */
export type RowOrder = (typeof ROW_ORDERS)[number];

/** Sizes and options of a multi-head layer. */
export interface MultiHeadAttentionConfig {
  /** Numbers of a row of x. */
  embedDim: number;
  /** Query heads. */
  numHeads: number;
  /** Key/value heads; a divisor of numHeads. Default numHeads. */
  numKvHeads?: number | null | undefined;
  /** Elements of a query and of a key. Default embedDim / numHeads. */
  headDim?: number | null | undefined;
  /** Elements of a value. Default headDim. */
  valueDim?: number | null | undefined;
  /** Numbers of a row that keys are made of. Default embedDim. */
  kDim?: number | null | undefined;
  /** Numbers of a row that values are made of. Default embedDim. */
  vDim?: number | null | undefined;
  /** Numbers of a row of the result. Default embedDim. */
  outDim?: number | null | undefined;
  /**
   * Layout of matrices: "outIn" is [out, in] with y = x Wᵀ (PyTorch), "inOut" is [in, out] with y = x W (Keras). Default "outIn".
   */
  weightLayout?: WeightLayout | null | undefined;
  /**
   * Order of the columns of `qkv` and `qkvBias`: "qkv" = all of q, then k, then v; "heads" = q, k and v of head 0, then of head 1 …, as
   * in GPT-NeoX and BLOOM; "groups" = for each key/value head its query heads, then k, then v, as in Falcon and InternLM 2. Default
   * "qkv".
   */
  order?: FusedOrder | null | undefined;
  /**
   * Order of the axes of x, `key`, `value` and the result: "batchFirst" = [batch, seq, …], "sequenceFirst" = [seq, batch, …]. Default
   * "batchFirst".
   */
  layout?: RowOrder | null | undefined;
  /** Factor on each head's output before the output projection [numHeads]; a head with 0 has no influence. Default 1. */
  headGates?: ArrayLike<number> | null | undefined;
  /**
   * Divides each head's q and k by the root of their mean square plus `eps`, times the parameters qNorm and kNorm where given, before
   * they are rotated (Henry et al. 2020, arXiv:2010.04245; as in Qwen 3 and Gemma 3). `eps` is 1e-6 by default. Default false.
   */
  qkNorm?: boolean | { eps?: number | null | undefined } | null | undefined;
  /**
   * Rotates each head's q and k by angles that depend on their positions (Su et al. 2021, arXiv:2104.09864), as `engine.rotary`
   * does; {} for its defaults. A key's position counts from the first key of its sequence, also in a cache. Default no rotation.
   */
  rotary?: RotaryConfig | null | undefined;
  /** Adds a key and a value of zeros that every row sees (PyTorch's add_zero_attn). Default false. */
  addZeroAttention?: boolean | null | undefined;
}

/** Sizes and options of a layer, with the defaults filled in. */
export interface LayerConfig extends Settings {
  readonly qkNorm: false | { readonly eps: number };
  /** Undefined without rotary. */
  readonly rotary: ReadRotaryConfig | undefined;
}

interface Settings {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly kDim: number;
  readonly vDim: number;
  readonly outDim: number;
  readonly weightLayout: WeightLayout;
  readonly order: FusedOrder;
  readonly layout: RowOrder;
  /** [numHeads] */
  readonly headGates: readonly number[];
  readonly addZeroAttention: boolean;
}

/** @internal */
export interface MultiHeadConfig extends Settings {
  /** Of qkNorm, undefined without it. */
  readonly normEps: number | undefined;
  /** Of rotary, undefined without it. */
  readonly angles: HostAngles | undefined;
}

/** No places: `parameters.out` is a matrix, not an array for results. */
export const CREATE_MULTI_HEAD_ATTENTION: Operation = {
  name: "createMultiHeadAttention",
  options: [
    ...["embedDim", "numHeads", "numKvHeads", "headDim", "valueDim", "kDim", "vDim", "outDim", "weightLayout", "order"],
    ...["layout", "headGates", "qkNorm", "rotary", "addZeroAttention"],
  ],
  foreign: {
    embedDim: "hiddensize dmodel nembd",
    numKvHeads: "numkeyvalueheads kvnumheads nkvheads",
    numHeads: "heads nhead",
    headDim: "keydim headsize dhead",
    outDim: "output",
    qkNorm: "qklayernorm",
    "rotary, { base }": "rope",
    "rotary, { scaling }": "ropescaling ropeparameters",
    'layout, "batchFirst" or "sequenceFirst"': "first",
    addZeroAttention: "addzero",
    "biases are among the parameters": "bias",
    "there is no dropout": "drop",
  },
  places: [],
};
const MAX_SIZE = 2 ** 20;
const DEFAULT_EPS = 1e-6;

/**
 * Reads the configuration of a layer. Each getter is read once.
 * @internal
 */
export function readMultiHeadConfig(call: Call, config: MultiHeadAttentionConfig): MultiHeadConfig {
  const {
    embedDim,
    numHeads,
    numKvHeads = numHeads,
    headDim,
    valueDim,
    kDim = embedDim,
    vDim = embedDim,
    outDim = embedDim,
    weightLayout = "outIn",
    order = "qkv",
    layout = "batchFirst",
    headGates,
    qkNorm = false,
    rotary,
    addZeroAttention = false,
  } = readOptions({ ...CREATE_MULTI_HEAD_ATTENTION, name: call.operation }, config, "config");
  const size = (name: string, value: unknown): number => integer(call.operation, name, value, 1, MAX_SIZE);
  const heads = {
    embedDim: size("embedDim", embedDim),
    numHeads: size("numHeads", numHeads),
    numKvHeads: size("numKvHeads", numKvHeads),
  };
  if (heads.numHeads % heads.numKvHeads !== 0) {
    throw wrongValue(call.operation, `"numHeads" is ${numHeads}, expected a multiple of numKvHeads ${numKvHeads}`);
  }
  if (headDim === undefined && heads.embedDim % heads.numHeads !== 0) {
    throw wrongValue(call.operation, `"headDim" is missing: embedDim ${embedDim} is not a multiple of numHeads ${numHeads}`);
  }
  if (order === "heads" && heads.numHeads !== heads.numKvHeads) {
    throw wrongValue(
      call.operation,
      `"order" is "heads", expected "groups" where numHeads ${numHeads} are more than numKvHeads ${numKvHeads}`,
    );
  }
  const channels = headDim === undefined ? heads.embedDim / heads.numHeads : size("headDim", headDim);
  return {
    ...heads,
    headDim: channels,
    valueDim: valueDim === undefined ? channels : size("valueDim", valueDim),
    kDim: size("kDim", kDim),
    vDim: size("vDim", vDim),
    outDim: size("outDim", outDim),
    weightLayout: oneOf(call.operation, "weightLayout", weightLayout, WEIGHT_LAYOUTS),
    order: oneOf(call.operation, "order", order, FUSED_ORDERS),
    layout: oneOf(call.operation, "layout", layout, ROW_ORDERS),
    headGates: readHeadGates(call.operation, headGates, heads.numHeads) ?? new Array<number>(heads.numHeads).fill(1),
    normEps: epsOf(call.operation, qkNorm),
    angles: optional(rotary, (given) => readAngles(call, given, channels)),
    addZeroAttention: oneOf(call.operation, "addZeroAttention", addZeroAttention, [true, false]),
  };
}

/**
 * Factors of heads as float32 holds them; undefined where absent.
 * @internal
 */
export function readHeadGates(operation: string, gates: unknown, numHeads: number): number[] | undefined {
  if (isAbsent(gates)) return undefined;
  const length = isObject(gates) ? (gates as { length?: unknown }).length : undefined;
  if (typeof length !== "number") {
    throw wrongKind(operation, `"headGates" must be an array of ${numHeads} numbers, got ${describe(gates)}`);
  }
  if (length !== numHeads)
    throw wrongValue(operation, `"headGates" holds ${counted(length, "element")}, expected ${numHeads}, one for each head`);
  return Array.from({ length }, (_, head) => float32(operation, `headGates[${head}]`, (gates as ArrayLike<unknown>)[head]));
}

function epsOf(operation: string, qkNorm: unknown): number | undefined {
  if (qkNorm === false) return undefined;
  if (qkNorm === true) return Math.fround(DEFAULT_EPS);
  if (!isObject(qkNorm)) {
    throw wrongKind(operation, `"qkNorm" must be true, false or { eps }, got ${describe(qkNorm)}`);
  }
  const { eps = DEFAULT_EPS } = readOptions(
    { name: operation, options: ["eps"], foreign: { eps: "epsilon" } },
    qkNorm as { eps?: unknown },
    "qkNorm",
  );
  return float32(operation, "qkNorm.eps", eps, 0);
}
