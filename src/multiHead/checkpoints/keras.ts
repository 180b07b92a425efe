/** The layer that the weights of Keras's MultiHeadAttention or GroupedQueryAttention describe. */
import { counted, isArray, wrongValue } from "../../check.js";
import { readOptions } from "../../call/readOptions.js";
import type { ParameterName } from "../parameters.js";
import {
  type MultiHeadDefinition,
  parametersOf,
  readStateDict,
  requiredMatrix,
  type StateDict,
  type StoredTensor,
} from "./storedTensors.js";

/** How weights are chosen by name. */
export interface FromKerasOptions {
  /** The beginning of the layer's names, such as "multi_head_attention/"; other names are ignored. Default none. */
  prefix?: string | null | undefined;
}

const OPERATION = { name: "multiHeadFromKeras", options: ["prefix"] };

const MATRICES = { query: "q", key: "k", value: "v", attention_output: "out" } as const;
const BIASES = { q: "qBias", k: "kBias", v: "vBias", out: "outBias" } as const;
const NAMES: Readonly<Record<string, ParameterName>> = Object.fromEntries(
  Object.entries(MATRICES).flatMap(([name, parameter]) => [
    [`${name}/kernel`, parameter],
    [`${name}/bias`, BIASES[parameter]],
  ]),
);

/** Names by the order of `get_weights()`, without biases and with them. */
const KERNELS = Object.keys(NAMES).filter((name) => name.endsWith("kernel"));
const ORDERS = [KERNELS, Object.keys(NAMES)];

/**
 * The configuration and the parameters of a layer like Keras's MultiHeadAttention or GroupedQueryAttention, from its weights: by name
 * (`query/kernel`, `query/bias`, `key/…`, `value/…`, `attention_output/…`; a `:0` after them is ignored), or the list that
 * `layer.get_weights()` returns. All sizes follow from those of the kernels.
 *
 * @param weights  tensors by name or in order, of any library or as nested arrays
 * @throws {TypeError} the wrong kind of value, an unknown name, or a missing one
 * @throws {RangeError} sizes that don't fit
 *
 * @example
 * import { createEngine, multiHeadFromKeras } from "headwise";
 *
 * const kernel = [[[1], [0]], [[0], [1]]]; // [in, heads, channels]
 * const { config, parameters } = multiHeadFromKeras([kernel, kernel, kernel, [[[1, 0]], [[0, 1]]]]);
 * console.log(config.numHeads, config.headDim); // 2 1
 * const engine = await createEngine();
 * const layer = engine.createMultiHeadAttention(config, parameters);
 * console.log([...layer.forward({ data: [3, 4], dims: [1, 2] }).data]); // [ 3, 4 ]
 * engine.dispose();
 */
export function multiHeadFromKeras(
  weights: StateDict | readonly StoredTensor[],
  options: FromKerasOptions = {},
): MultiHeadDefinition {
  const { name: operation } = OPERATION;
  const { prefix } = readOptions(OPERATION, options);
  const parameterOf = (full: string): ParameterName | undefined => {
    const name = full.replace(/:0$/, "");
    return Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
  };
  const named = isArray(weights) ? byOrder(operation, weights) : weights;
  const found = readStateDict(operation, "weights", named, prefix, parameterOf, Object.keys(NAMES));
  const sizesOf = (parameter: ParameterName, name: string): readonly number[] =>
    requiredMatrix(operation, found, parameter, `${name}/kernel`, 3);
  const [embedDim, numHeads, headDim] = sizesOf("q", "query") as [number, number, number];
  const [kDim, numKvHeads] = sizesOf("k", "key");
  const [vDim, , valueDim] = sizesOf("v", "value");
  const outDim = sizesOf("out", "attention_output")[2]!;
  return {
    config: { embedDim, numHeads, numKvHeads, headDim, valueDim, kDim, vDim, outDim, weightLayout: "inOut" },
    parameters: parametersOf(found),
  };
}

function byOrder(operation: string, weights: readonly unknown[]): Record<string, unknown> {
  const names = ORDERS.find(({ length }) => length === weights.length);
  if (names) return Object.fromEntries(names.map((name, index) => [name, weights[index]]));
  throw wrongValue(operation, `"weights" holds ${counted(weights.length, "array")}, expected 4 kernels, or 8 with biases`);
}
