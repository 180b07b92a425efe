/** The layer that the attention module of a model of Hugging Face's transformers describes. */
import { integer, wrongKind, wrongValue } from "../../check.js";
import { readOptions } from "../../call/readOptions.js";
import type { ParameterName } from "../parameters.js";
import { expectRank, type MultiHeadDefinition, parametersOf, readStateDict, type StateDict } from "./storedTensors.js";

/** Facts that a state dict doesn't contain. */
export interface FromHuggingFaceOptions {
  /** Query heads: `num_attention_heads`, or `n_head`. */
  numHeads: number;
  /** The module's name and a dot, such as "model.layers.0.self_attn."; other names are ignored. Default none. */
  prefix?: string | null | undefined;
}

const OPERATION = { name: "multiHeadFromHuggingFace", options: ["numHeads", "prefix"] };

type Projection = "q" | "k" | "v" | "qkv" | "out";

/** A matrix of groups: the query heads of a key/value head, then k, then v. */
const FUSED = "query_key_value";

/** The projections by the names of modules. */
const MODULES: Readonly<Record<string, Projection>> = {
  // BERT, RoBERTa, ELECTRA; ViT
  ...{ "self.query": "q", "self.key": "k", "self.value": "v", "output.dense": "out" },
  ...{ "attention.query": "q", "attention.key": "k", "attention.value": "v" },
  // DistilBERT
  ...{ q_lin: "q", k_lin: "k", v_lin: "v", out_lin: "out" },
  // GPT-2
  ...{ c_attn: "qkv", c_proj: "out" },
  // GPT-NeoX, BLOOM, Falcon
  ...{ [FUSED]: "qkv", dense: "out" },
  // Llama, Mistral, Qwen; BART, OPT, Whisper, CLIP
  ...{ q_proj: "q", k_proj: "k", v_proj: "v", o_proj: "out", out_proj: "out" },
};
const NORMS: Readonly<Record<string, "qNorm" | "kNorm">> = { "q_norm.weight": "qNorm", "k_norm.weight": "kNorm" };
const BIASES = { q: "qBias", k: "kBias", v: "vBias", qkv: "qkvBias", out: "outBias" } as const;

/** What lies beside them in the same module: a norm that follows attention, angles, and GPT-2's causal mask. */
const OTHERS = /^(output\.LayerNorm\.(weight|bias)|rotary_emb\.inv_freq|bias|masked_bias)$/;

function parameterOf(name: string): ParameterName | "" | undefined {
  if (Object.hasOwn(NORMS, name)) return NORMS[name];
  if (OTHERS.test(name)) return "";
  const [, module, kind] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  if (module === undefined || !Object.hasOwn(MODULES, module)) return undefined;
  return kind === "weight" ? MODULES[module] : BIASES[MODULES[module]!];
}

/**
 * The configuration and the parameters of the attention of a BERT, GPT-2 or Llama, or of a model that names its modules as they do
 * (RoBERTa, ELECTRA, DistilBERT, ViT; Mistral, Qwen 2 and 3; BART, OPT, Whisper, CLIP; GPT-NeoX, BLOOM, Falcon), from the state dict of
 * transformers. Key/value heads and `headDim` follow from the sizes. The columns of `query_key_value` are in the order of those three:
 * for each key/value head its query heads, then k, then v. For ChatGLM 2 and 3 set `order: "qkv"` in the configuration.
 *
 * A state dict does not say how positions enter. For Llama, Mistral and Qwen add `rotary: { base }` with the model's `rope_theta`, and
 * call `forward` with `causal: true`, as for GPT-2. The normalization after BERT's attention is not a part of the layer.
 *
 * @param stateDict  tensors by name, of any library or as nested arrays
 * @throws {TypeError} the wrong kind of value, an unknown name, or a missing one
 * @throws {RangeError} sizes that don't fit
 *
 * @example
 * import { createEngine, multiHeadFromHuggingFace } from "headwise";
 *
 * const stateDict = {
 *   "layers.0.self_attn.q_proj.weight": [[1, 0], [0, 1]],
 *   "layers.0.self_attn.k_proj.weight": [[1, 0]], // one key/value head for both query heads
 *   "layers.0.self_attn.v_proj.weight": [[0, 1]],
 *   "layers.0.self_attn.o_proj.weight": [[1, 0], [0, 1]],
 * };
 * const { config, parameters } = multiHeadFromHuggingFace(stateDict, { numHeads: 2, prefix: "layers.0.self_attn." });
 * console.log(config.numKvHeads, config.headDim); // 1 1
 * const engine = await createEngine();
 * const layer = engine.createMultiHeadAttention(config, parameters);
 * console.log([...layer.forward({ data: [3, 4], dims: [1, 2] }).data]); // [ 4, 4 ]
 * engine.dispose();
 */
export function multiHeadFromHuggingFace(stateDict: StateDict, options: FromHuggingFaceOptions): MultiHeadDefinition {
  const { name: operation } = OPERATION;
  const { prefix, numHeads: givenHeads } = readOptions(OPERATION, options);
  const numHeads = integer(operation, "numHeads", givenHeads, 1, 2 ** 20);
  const known = [...Object.keys(MODULES).map((module) => `${module}.weight`), ...Object.keys(NORMS)];
  const found = readStateDict(operation, "stateDict", stateDict, prefix, parameterOf, known);
  const sizesOf = (projection: Projection): readonly [number, number] => {
    const stored = found.get(projection);
    if (stored) return expectRank(operation, stored) as [number, number];
    const names = Object.keys(MODULES).filter((module) => MODULES[module] === projection);
    const expected = `${names.map((module) => `${module}.weight`).join(", ")}${projection === "out" ? "" : ` or c_attn.weight or ${FUSED}.weight`}`;
    throw wrongKind(operation, `"stateDict" has no matrix "${projection}", expected one of ${expected}`);
  };
  const parameters = parametersOf(found);
  const normed = found.has("qNorm") || found.has("kNorm") ? { qkNorm: true } : {};
  const fused = found.get("qkv");
  if (fused?.name.endsWith(`${FUSED}.weight`)) {
    const [columns, embedDim] = sizesOf("qkv");
    const [outDim, channels] = sizesOf("out");
    const headDim = headsOf(operation, `"${found.get("out")!.name}"`, channels, numHeads, `numHeads ${numHeads}`, "columns");
    const keyHeads = columns / headDim - numHeads; // those of keys, and as many of values
    const numKvHeads = keyHeads / 2;
    if (!Number.isInteger(numKvHeads) || numKvHeads < 1) {
      const expected = `(numHeads ${numHeads} + 2 · numKvHeads) · ${headDim} (headDim ${channels} / ${numHeads})`;
      throw wrongValue(operation, `"${fused.name}" has ${columns} rows, expected ${expected}`);
    }
    return { config: { embedDim, numHeads, numKvHeads, headDim, outDim, order: "groups", ...normed }, parameters };
  }
  if (fused) {
    // Conv1D, whose matrices are transposed
    return { config: { embedDim: sizesOf("qkv")[0], numHeads, weightLayout: "inOut", ...normed }, parameters };
  }
  const [queries, embedDim] = sizesOf("q");
  const headDim = headsOf(operation, `"${found.get("q")!.name}"`, queries, numHeads, `numHeads ${numHeads}`);
  const [keys, kDim] = sizesOf("k");
  const numKvHeads = headsOf(
    operation,
    `"${found.get("k")!.name}"`,
    keys,
    headDim,
    `headDim ${queries} / ${numHeads} = ${headDim}`,
  );
  const vDim = sizesOf("v")[1];
  return { config: { embedDim, numHeads, numKvHeads, headDim, kDim, vDim, outDim: sizesOf("out")[0], ...normed }, parameters };
}

function headsOf(operation: string, name: string, size: number, divisor: number, meaning: string, axis = "rows"): number {
  if (size % divisor === 0 && size > 0) return size / divisor;
  throw wrongValue(operation, `${name} has ${size} ${axis}, expected a multiple of ${meaning}`);
}
