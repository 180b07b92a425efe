/** The layer that a state dict of PyTorch's nn.MultiheadAttention describes. */
import { readOptions } from "../../call/readOptions.js";
import { oneOf } from "../../check.js";
import type { ParameterName } from "../parameters.js";
import {
  expectRank,
  type MultiHeadDefinition,
  parametersOf,
  readStateDict,
  requiredMatrix,
  type StateDict,
} from "./storedTensors.js";

/** Facts that a state dict doesn't contain. */
export interface FromTorchOptions {
  /** Query heads. */
  numHeads: number;
  /** The beginning of the layer's names, such as "encoder.0.self_attn."; other names are ignored. Default none. */
  prefix?: string | null | undefined;
  /** Whether x and the result are [batch, seq, embed], not [seq, batch, embed]: PyTorch's batch_first. Default true. */
  batchFirst?: boolean | null | undefined;
}

const OPERATION = { name: "multiHeadFromTorch", options: ["numHeads", "prefix", "batchFirst"] };

const NAMES: Readonly<Record<string, ParameterName>> = {
  in_proj_weight: "qkv",
  q_proj_weight: "q",
  k_proj_weight: "k",
  v_proj_weight: "v",
  in_proj_bias: "qkvBias",
  "out_proj.weight": "out",
  "out_proj.bias": "outBias",
  bias_k: "biasK",
  bias_v: "biasV",
};

/**
 * The configuration and the parameters of a layer like PyTorch's nn.MultiheadAttention, from its state dict: `in_proj_weight` or
 * `q_proj_weight`, `k_proj_weight` and `v_proj_weight`, `in_proj_bias`, `out_proj.weight`, `out_proj.bias`, `bias_k`, `bias_v`. With
 * `batch_first=False`, PyTorch's default, give `batchFirst: false`; with `add_zero_attn` add `addZeroAttention: true` to the configuration.
 *
 * Masks are inverted: where PyTorch's boolean `attn_mask` is true a key is hidden, where headwise's `mask` is not 0 it may be seen; a
 * float `attn_mask` is `bias`, and `key_padding_mask` the opposite of `keyMask`.
 *
 * @param stateDict  tensors by name, of any library or as nested arrays
 * @throws {TypeError} the wrong kind of value, an unknown name, or a missing one
 * @throws {RangeError} sizes that don't fit
 *
 * @example
 * import { createEngine, multiHeadFromTorch } from "headwise";
 *
 * const stateDict = {
 *   "encoder.in_proj_weight": [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]],
 *   "encoder.out_proj.weight": [[1, 0], [0, 1]],
 *   "encoder.out_proj.bias": [5, 5],
 * };
 * const { config, parameters } = multiHeadFromTorch(stateDict, { numHeads: 1, prefix: "encoder." });
 * const engine = await createEngine();
 * const layer = engine.createMultiHeadAttention(config, parameters);
 * console.log([...layer.forward({ data: [1, 2], dims: [1, 2] }).data]); // [ 6, 7 ]
 * engine.dispose();
 */
export function multiHeadFromTorch(stateDict: StateDict, options: FromTorchOptions): MultiHeadDefinition {
  const { name: operation } = OPERATION;
  const { numHeads, prefix, batchFirst = true } = readOptions(OPERATION, options);
  const isBatchFirst = oneOf(operation, "batchFirst", batchFirst, [true, false]);
  const parameterOf = (name: string): ParameterName | undefined => (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined);
  const found = readStateDict(operation, "stateDict", stateDict, prefix, parameterOf, Object.keys(NAMES));
  const [embedDim] = requiredMatrix(operation, found, "out", "out_proj.weight");
  const inDim = (parameter: "k" | "v"): number | undefined => {
    const stored = found.get(parameter);
    return stored && expectRank(operation, stored)[1];
  };
  return {
    config: {
      ...{ embedDim: embedDim!, numHeads, kDim: inDim("k"), vDim: inDim("v") },
      layout: isBatchFirst ? "batchFirst" : "sequenceFirst",
    },
    parameters: parametersOf(found),
  };
}
