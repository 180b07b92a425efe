/** The entries other than the main one. */
import {
  activate,
  additiveAttention,
  bilinearAttention,
  circuits,
  cosineAttention,
  hardAttention,
  headImportance,
  layerNorm,
  linearAttention,
  localAttention,
  matmul,
  mergeAttention,
  multiHeadAttention,
  type ReferenceAdditiveParameters,
  type ReferenceBilinearParameters,
  type ReferenceHardParameters,
  type ReferenceLinearOptions,
  type ReferenceLocalParameters,
  type ReferenceMatmulOptions,
  type ReferenceMultiHeadOptions,
  type ReferenceNormOptions,
  type ReferenceOptions,
  type ReferenceParameters,
  type ReferencePart,
  type ReferenceResult,
  type ReferenceRotaryOptions,
  type ReferenceScaling,
  type ReferenceSoftmaxOptions,
  type ReferenceTensor,
  type ReferenceTopKParameters,
  rmsNorm,
  rotary,
  rotaryFrequencies,
  scaledDotProductAttention,
  sinusoidalPositions,
  softmax,
  topKAttention,
} from "headwise/reference";
import { type BaselineOptions, type BaselineTensor, scaledDotProductAttention as baseline } from "headwise/baseline";
import { createEngine, type Engine } from "headwise/standalone";
import type {} from "headwise/worker";

const x: ReferenceTensor = { data: [1, 2, 3, 4], dims: [2, 2] };
const attentionOptions: ReferenceOptions = { causal: true, weights: { data: new Float32Array(4), dims: [1, 1, 2, 2] } };
const linearOptions: ReferenceLinearOptions = { featureMap: "elu+1" };
const matmulOptions: ReferenceMatmulOptions = { transposeB: true };
const normOptions: ReferenceNormOptions = { eps: 1e-5 };
const scaling: ReferenceScaling = { type: "linear", factor: 2 };
const rotaryOptions: ReferenceRotaryOptions = { offset: 1, scaling };
const softmaxOptions: ReferenceSoftmaxOptions = { axis: 0 };
const parameters: ReferenceParameters = { q: x, k: x, v: x, out: x };
const layerOptions: ReferenceMultiHeadOptions = { causal: true };
const vector: ReferenceTensor = { data: [1, 2], dims: [2] };
const additive: ReferenceAdditiveParameters = { query: x, key: x, score: vector, bias: vector, activation: "relu" };
const bilinear: ReferenceBilinearParameters = { weight: x };
const hard: ReferenceHardParameters = { choose: "sample", seed: 1, picks: { data: new Int32Array(2), dims: [1, 1, 2] } };
const local: ReferenceLocalParameters = { halfWidth: 1, predictor: { weight: x, score: vector }, renormalize: true };
const topK: ReferenceTopKParameters = { count: 1 };
const truth: ReferenceResult = scaledDotProductAttention(x, x, x, attentionOptions);
const part: ReferencePart = { out: truth, logSumExp: { data: [0, 0], dims: [2] } };
const truths: ReferenceResult[] = [
  truth,
  linearAttention(x, x, x, linearOptions),
  matmul(x, x, matmulOptions),
  activate(x, "gelu", { gate: x }),
  layerNorm(x, normOptions),
  rmsNorm(x, { eps: 1e-6 }),
  rotary(x, rotaryOptions),
  softmax(x, softmaxOptions),
  multiHeadAttention({ embedDim: 2, numHeads: 1 }, parameters, x, layerOptions),
  circuits({ embedDim: 2, numHeads: 1 }, parameters, 0).queryKey,
  headImportance({ embedDim: 2, numHeads: 1 }, parameters, x, layerOptions).confidence,
  mergeAttention([part]).out,
  additiveAttention(x, x, x, additive, attentionOptions),
  bilinearAttention(x, x, x, bilinear),
  cosineAttention(x, x, x),
  hardAttention(x, x, x, hard),
  localAttention(x, x, x, local),
  topKAttention(x, x, x, topK),
  sinusoidalPositions({ length: 2, dim: 2 }),
];
export const numbers: Float64Array[] = truths.map(({ data }) => data);
export const { frequencies }: { frequencies: number[] } = rotaryFrequencies(4, 10000, scaling);

const tensor: BaselineTensor = { data: new Float32Array(4), dims: [2, 2] };
const options: BaselineOptions = { causal: true };
export const plain: Float32Array = baseline(tensor, tensor, tensor, options).data;

export const alone: Promise<Engine> = createEngine();
