/**
 * What PyTorch, flash-attn, xformers, JAX, Keras, transformers, MLX and ONNX call the options of attention. One answer a line, in few
 * words: every page downloads it.
 */
import type { ForeignNames } from "../call/readOptions.js";

export const ATTENTION_NAMES: ForeignNames = {
  "keyMask, other than 0 where a key is kept; PyTorch has it the other way round": "paddingmask",
  'keyMask, or "mask" unless it is [batch, kvLen]': "attentionmask",
  'mask, or "bias" for numbers to add': "attnmask",
  "window, which does not count the row's own key": "window",
  alibiSlopes: "alibi",
  numKvHeads: "kvnumheads numheadskv keyvalueheads",
  keyLengths: "seqlens sequsedk kvseqlen keyvalueseqlen",
  queryLengths: "sequsedq seqlensq queryseqlen",
  keyStarts: "leftpad",
  sinks: "saux sink",
  "weights, which takes a place for them": "weights attentions attnprobs attentionscores",
  "logSumExp, which takes a place for it": "lse softmaxlse returnlse",
  'layout, "sbhd" where the sequence comes first': "first",
  "q may always have a multiple of the heads of k": "gqa enablegqa",
  "there is no dropout": "dropout p",
  "createKVCache makes a cache": "past kcache vcache usecache",
};

/** Options that come in the place of an operation's parameters. */
export const MISPLACED_NAMES: ForeignNames = {
  "it is an option, and options are the argument after the parameters":
    "causal window scale mask softcap layout out weights logsumexp",
};
