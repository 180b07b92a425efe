/** The entries other than the main one. */
import {
  activate,
  circuits,
  headImportance,
  layerNorm,
  linearAttention,
  matmul,
  mergeAttention,
  multiHeadAttention,
  type ReferenceLinearOptions,
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
  rmsNorm,
  rotary,
  rotaryFrequencies,
  scaledDotProductAttention,
  softmax,
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
];
export const numbers: Float64Array[] = truths.map(({ data }) => data);
export const { frequencies }: { frequencies: number[] } = rotaryFrequencies(4, 10000, scaling);

const tensor: BaselineTensor = { data: new Float32Array(4), dims: [2, 2] };
const options: BaselineOptions = { causal: true };
export const plain: Float32Array = baseline(tensor, tensor, tensor, options).data;

export const alone: Promise<Engine> = createEngine();
