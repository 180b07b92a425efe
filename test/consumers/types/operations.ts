/** The operations around attention. */
import {
  type ActivateOptions,
  type Activation,
  ACTIVATIONS,
  type Circuits,
  createEngine,
  type FeatureFunction,
  type FeatureMap,
  type FromHuggingFaceOptions,
  type FromKerasOptions,
  type FromTorchOptions,
  type Engine,
  type HeadImportance,
  type HeadImportanceOptions,
  type KVCache,
  type LayerCacheOptions,
  type LayerConfig,
  type LayerNormOptions,
  type LinearAttentionState,
  type LinearAttentionStateOptions,
  type LinearInputs,
  type LinearKind,
  type LinearOptions,
  type LinearRule,
  type MatmulOptions,
  type MultiHeadAttention,
  type MultiHeadAttentionConfig,
  type MultiHeadAttentionParameters,
  type MultiHeadDefinition,
  type MultiHeadForwardOptions,
  multiHeadFromHuggingFace,
  multiHeadFromKeras,
  multiHeadFromTorch,
  type NestedNumbers,
  type PackedMatrix,
  type ProjectKeysOptions,
  type ResultTensor,
  type RmsNormOptions,
  type RopeScaling,
  type RotaryConfig,
  type RotaryOptions,
  type RotaryPositions,
  type RotaryScaling,
  type RotaryTables,
  type RotaryTablesOptions,
  type ScalingType,
  type SinusoidalPositionsOptions,
  type SoftmaxOptions,
  type StateDict,
  type StoredTensor,
  t5RelativeBias,
  type T5RelativeBiasOptions,
  type WeightLayout,
} from "headwise";

const engine: Engine = await createEngine({ threads: 2 });
const x = { data: new Float32Array(64), dims: [1, 8, 8] };

const activation: Activation = ACTIVATIONS[0];
const matmulOptions: MatmulOptions = { bias: x, activation, transposeB: true };
const weightLayout: WeightLayout = "outIn";
const packed: PackedMatrix = engine.packMatrix(x, weightLayout);
const activateOptions: ActivateOptions = { gate: x };
const softmaxOptions: SoftmaxOptions = { axis: -1, log: true };
const layerNormOptions: LayerNormOptions = { weight: x, bias: x, eps: 1e-5 };
const rmsNormOptions: RmsNormOptions = { weight: x };
const scalingType: ScalingType = "yarn";
const scaling: RotaryScaling = { type: scalingType, factor: 4, originalMaxPositionEmbeddings: 4096 };
const ropeScaling: RopeScaling = { rope_type: "linear", factor: 2 };
const tablesOptions: RotaryTablesOptions = { length: 8, rotaryDim: 8, scaling };
const tables: RotaryTables = engine.rotaryTables(tablesOptions);
const positionsOptions: SinusoidalPositionsOptions = { length: 8, dim: 8 };
const embedding: ResultTensor = engine.sinusoidalPositions(positionsOptions);
const t5Options: T5RelativeBiasOptions = { length: 9, bidirectional: false, maxDistance: 64 };
export const bias: ResultTensor = t5RelativeBias(embedding, t5Options);
const rotaryConfig: RotaryConfig = { interleaved: true, tables };
const positions: RotaryPositions = { offset: Int32Array.of(1), inverse: false };
const rotaryOptions: RotaryOptions = { ...rotaryConfig, ...positions, layout: "bhsd" };
export const results = [
  engine.matmul(x, packed, matmulOptions),
  engine.matmul(x, x),
  engine.activate(x, "gelu-tanh", activateOptions),
  engine.softmax(x, softmaxOptions),
  engine.layerNorm(x, layerNormOptions),
  engine.rmsNorm(x, rmsNormOptions),
  engine.rotary(x, rotaryOptions),
  engine.rotary(x, { scaling: ropeScaling }),
];

const feature: FeatureFunction = ({ data, dims }) => ({ data: data.map((each) => each * each), dims });
const featureMap: FeatureMap = feature;
const rule: LinearRule = "linear";
const linearKind: LinearKind = { featureMap, rule, chunkSize: 64 };
const inputs: LinearInputs = { keyLengths: [8] };
const stateOptions: LinearAttentionStateOptions = { ...linearKind, numKvHeads: 1, headDim: 8 };
const state: LinearAttentionState = engine.createLinearAttentionState(stateOptions);
const linearOptions: LinearOptions = { ...linearKind, ...inputs, causal: true };
export const linear = engine.linearAttention(x, x, x, linearOptions);
export const stepped: ResultTensor = state.step(x, x, x);
export const again: LinearAttentionState = engine.restoreLinearAttentionState(state.serialize(), feature);

const config: MultiHeadAttentionConfig = { embedDim: 8, numHeads: 2, rotary: rotaryConfig, qkNorm: { eps: 1e-6 } };
const parameters: MultiHeadAttentionParameters = { q: x, k: x, v: x, out: x, qBias: undefined };
const layer: MultiHeadAttention = engine.createMultiHeadAttention(config, parameters);
const nested: NestedNumbers = [[1, 0], [0, 1]]; // prettier-ignore
const stored: StoredTensor = nested;
const stateDict: StateDict = { in_proj_weight: x, "out_proj.weight": stored, "out_proj.bias": null };
const torchOptions: FromTorchOptions = { numHeads: 2, prefix: "layers.0." };
const huggingFaceOptions: FromHuggingFaceOptions = { numHeads: 2 };
const kerasOptions: FromKerasOptions = { prefix: "attention/" };
export const definitions: MultiHeadDefinition[] = [
  multiHeadFromTorch(stateDict, torchOptions),
  multiHeadFromHuggingFace(stateDict, huggingFaceOptions),
  multiHeadFromKeras(stateDict, kerasOptions),
  multiHeadFromKeras([nested, nested, nested, nested]),
];
const layerConfig: LayerConfig = layer.config;
export const headDim: number = layerConfig.headDim;
const cacheOptions: LayerCacheOptions = { capacity: 16 };
const cache: KVCache = layer.createCache(cacheOptions);
const projectOptions: ProjectKeysOptions = { dtype: "int8" };
const memory: KVCache = layer.projectKeys(x, projectOptions);
const forwardOptions: MultiHeadForwardOptions = { causal: true, cache };
export const forwarded = layer.forward(x, forwardOptions);
export const crossed: ResultTensor = layer.forward(x, { memory, headGates: [1, 0] });
const importanceOptions: HeadImportanceOptions = { memory, causal: false };
export const importance: HeadImportance = layer.headImportance(x, importanceOptions);
export const circuits: Circuits = layer.circuits(0);
// @ts-expect-error the layer determines the layout
layer.forward(x, { layout: "bhsd" });

const dispose = (disposable: { [Symbol.dispose](): void }): void => disposable[Symbol.dispose]();
for (const each of [packed, state, layer, cache]) dispose(each);
engine.dispose();
