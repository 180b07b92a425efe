/**
 * What PyTorch, flash-attn, xformers, JAX, Keras, transformers, MLX and ONNX call the options of attention. One answer a line, in few
 * words: every page downloads it.
 */
import type { ForeignNames } from "../call/readOptions.js";

export const ATTENTION_NAMES: ForeignNames = {
  causal: "iscausal usecausalmask unidirectional",
  'mask, for booleans and integers; numbers that are added go into "bias"': "attnmask blockmask",
  'keyMask, for [batch, kvLen]; one for each pair of a query and a key goes into "mask"': "attentionmask",
  "keyMask, the other way round: other than 0 where a key is kept": "keypaddingmask srckeypaddingmask paddingmask",
  "window, in keys beside a row's own: one less than where that is counted": "windowsize slidingwindow localwindowsize windowleft",
  scale: "softmaxscale smscale scaling",
  softcap: "attnlogitssoftcap attnlogitsoftcapping logitssoftcap logitcap",
  bias: "attnbias attentionbias positionbias relativepositionbias alibislopes scoremod",
  keyLengths: "cacheseqlens sequsedk nonpadkvseqlen keyvalueseqlengths kvlengths seqlensk",
  queryLengths: "sequsedq queryseqlengths",
  keyStarts: "leftpadk cacheleftpad leftpad",
  sinks: "saux headsink learnablesink attnsink",
  sinkTokens: "numsinktokens numsinks sinktokenlength sinksize",
  "weights, which takes a place for them": "needweights outputattentions returnattnprobs returnattentionscores",
  "logSumExp, which takes a place for it": "returnlse returnsoftmaxlse softmaxlse lse",
  scoresStage: "qkmatmuloutputmode",
  layout: "batchfirst headfirst inputlayout qkvformat",
  "q may have a multiple of the heads of k without it": "enablegqa packgqa",
  "there is no dropout": "dropoutp dropout attentiondropout p training",
  "createKVCache makes a cache, which q attends to": "pastkey pastvalue pastkeyvalue pastkeyvalues kcache vcache usecache",
  "the lengths say it": "maxseqlenq maxseqlenk",
  "engine.rotary rotates q and k before": "dorotary rotarycos rotarysin positionids",
  "results never vary": "deterministic",
};
