/** Multi-head layers. */
import { type Engine, type MultiHeadAttention, multiHeadFromHuggingFace, multiHeadFromKeras, multiHeadFromTorch } from "headwise";
import { openBuild } from "../support/builds.js";
import { bytes, each, type Groups, zeros } from "./provoke.js";

type Change = Record<string, unknown>;

/** An array in an array in an array … */
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

const CONFIG = { embedDim: 4, numHeads: 2 };
const w = zeros(4, 4);
const PARAMETERS = { q: w, k: w, v: w, out: w };

export function layers(engine: Engine): Groups {
  const make = (config: object, parameters: object = PARAMETERS): MultiHeadAttention =>
    engine.createMultiHeadAttention({ ...CONFIG, ...config }, parameters as never);
  const withParameters = ({ config = {}, ...parameters }: Change): unknown =>
    make(config as object, { ...PARAMETERS, ...parameters });
  const layer = make({});
  const cross = make({ kDim: 3 }, { ...PARAMETERS, k: zeros(4, 3) });
  const extra = make({ addZeroAttention: true });
  const x = zeros(1, 3, 4);
  const forward = ({ x: rows = x, ...options }: Change): unknown => layer.forward(rows as never, options);
  const other = openBuild("simd");
  const tables = { cos: zeros(2, 1), sin: zeros(2, 1) };
  const fromTorch = ({ dict, ...options }: Change): unknown => multiHeadFromTorch(dict as never, { numHeads: 2, ...options });
  const fromHuggingFace = ({ dict, ...options }: Change): unknown =>
    multiHeadFromHuggingFace(dict as never, { numHeads: 2, ...options });
  const fromKeras = ({ dict, ...options }: Change): unknown => multiHeadFromKeras(dict as never, options);
  const stateDict = { in_proj_weight: zeros(12, 4), "out_proj.weight": w };

  return {
    "createMultiHeadAttention: config": {
      ...each(
        (config: object) => make(config),
        [
          { embedDim: undefined },
          { numHeads: 0 },
          { numHeads: 3 },
          { numKvHeads: 3, numHeads: 4 },
          { headDim: "2" },
          { weightLayout: "io" },
          { order: "vkq" },
          { order: "groups" },
          { layout: "bshd" },
          { headGates: 1 },
          { headGates: [1] },
          { headGates: [1, NaN] },
          { qkNorm: 1 },
          { qkNorm: { epsilon: 1 } },
          { qkNorm: { eps: -1 } },
          { rotary: true },
          { rotary: { offset: 1 } },
          { rotary: { rotaryDim: 3 } },
          { rotary: { scaling: { type: "dynamic", factor: 2, maxPositionEmbeddings: 9 } } },
          { rope_scaling: {} },
          { addZeroAttention: 1 },
          { batches: true },
        ],
      ),
      "not an object": () => engine.createMultiHeadAttention(5 as never, PARAMETERS),
    },
    "createMultiHeadAttention: parameters": {
      ...each(withParameters, [
        { w },
        { in_proj_weight: zeros(12, 4) },
        { out: zeros(3, 4) },
        { out: undefined },
        { k: null },
        { qkv: zeros(12, 4) },
        { qkv: zeros(12, 4), q: null, k: null, v: null, qkvBias: zeros(12), kBias: zeros(4) },
        { qkv: zeros(12, 4), q: null, k: null, v: null, config: { kDim: 3 } },
        { qkv: zeros(8, 4), q: null, k: null, v: null, config: { numKvHeads: 1, order: "heads" } },
        { q: zeros(4, 3) },
        { config: { weightLayout: "inOut" }, q: zeros(3, 4) },
        { config: { weightLayout: "inOut" }, out: zeros(2, 4) },
        { qBias: zeros(3) },
        { biasK: zeros(4) },
        { biasK: zeros(3), biasV: zeros(4) },
        { qNorm: zeros(2) },
        { config: { qkNorm: true }, kNorm: zeros(3) },
        { outBias: zeros(3) },
        { q: [[1]] },
      ]),
      "qkv of another size in layout inOut": () => make({ weightLayout: "inOut" }, { qkv: w, out: w }),
      "a list": () => make({}, [w] as never),
    },
    multiHeadFromTorch: each(fromTorch, [
      { dict: null },
      { dict: { in_proj_weight: w } },
      { dict: { "linear1.weight": w } },
      { dict: { ...stateDict, "out_proj.weight": zeros(4) } },
      { dict: { "out_proj.weight": 5 } },
      { dict: { "out_proj.weight": [[1, 2], [3]] } },
      { dict: { "out_proj.weight": [[1, "2"]] } },
      { dict: { "out_proj.weight": nested(99) } },
      { dict: stateDict, prefix: 3 },
      { dict: stateDict, head: 3 },
    ]),
    multiHeadFromHuggingFace: each(fromHuggingFace, [
      { dict: {} },
      { dict: { "q_proj.weight": zeros(4, 4) } },
      { dict: { "q_proj.weight": zeros(3, 4) } },
      { dict: { "q_proj.weight": zeros(4, 4), "q_lin.weight": zeros(4, 4) } },
      { dict: { "q_proj.weight": zeros(4, 4) }, numHeads: null },
      { dict: { "query_key_value.weight": zeros(7, 4), "dense.weight": w } },
    ]),
    multiHeadFromKeras: each(fromKeras, [{ dict: [w] }, { dict: {} }, { dict: { "query/kernel": w } }]),
    "MultiHeadAttention.forward": {
      ...each(forward, [
        { x: zeros(3) },
        { x: zeros(1, 3, 5) },
        { key: x, value: zeros(1, 2, 4) },
        { value: x },
        { key: zeros(2, 3, 4) },
        { key: zeros(3, 4) },
        { x: zeros(1, 3, 2, 2) },
        { key: x, cache: layer.createCache({ capacity: 4 }) },
        { memory: 5 },
        { cache: layer.createCache({ capacity: 4 }), keyLengths: [1] },
        { cache: layer.createCache({ capacity: 4 }), causal: "upper-left" },
        { cache: layer.createCache({ capacity: 9, policy: "rolling", window: 3 }), window: 2 },
        { memory: layer.createCache({ capacity: 9, policy: "rolling", window: 3 }) },
        { accumulate: true },
        { accumulate: 1 },
        { headGates: [1] },
        { out: zeros(1, 3, 5) },
        { averageWeights: zeros(1, 3, 4) },
        { averageWeights: zeros(1, 3, 3), weights: zeros(1, 1, 3, 3), weightsRange: { heads: [0, 1] } },
        { layout: "bhsd" },
        { mask: bytes(4) },
      ]),
      "rank 2: averageWeights": () => layer.forward(zeros(3, 4), { averageWeights: zeros(3, 4) }),
      "a cache of another batch": () => layer.forward(x, { cache: layer.createCache({ capacity: 4, batchSize: 2 }) }),
      "a cache that is full": () => layer.forward(x, { cache: layer.createCache({ capacity: 2 }) }),
      "a cache of other heads": () => layer.forward(x, { cache: engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 4 }) }),
      "a cache of another engine": () =>
        layer.forward(x, { cache: other.createKVCache({ numKvHeads: 2, headDim: 2, capacity: 4 }) }),
      "keys of another size and no key": () => cross.forward(x),
      "values of another size and no value": () => cross.forward(x, { key: zeros(1, 3, 3) }),
      "a cache in a layer with extra keys": () => extra.forward(x, { cache: extra.createCache({ capacity: 4 }) }),
      "memory without the extra keys": () => extra.forward(x, { memory: layer.projectKeys(x) }),
      "memory with two extra keys": () => layer.forward(x, { memory: extra.projectKeys(x) }),
      "a layer after dispose": () => {
        const gone = make({});
        gone.dispose();
        gone.forward(x);
      },
      "a cache after dispose": () => {
        const cache = layer.createCache({ capacity: 4 });
        cache.dispose();
        layer.forward(x, { cache });
      },
      "a getter appends to the cache": () => {
        const cache = layer.createCache({ capacity: 9 });
        const mask = {
          dims: [3],
          get data() {
            cache.append(zeros(1, 1, 2, 2), zeros(1, 1, 2, 2));
            return new Uint8Array(3);
          },
        };
        layer.forward(x, { cache, mask });
      },
      "more rows than tables have": () => make({ rotary: { tables } }).forward(x),
      "a position before the first": () => make({ rotary: {} }).forward(x, { queryOffset: -1 }),
    },
    "MultiHeadAttention.projectKeys": {
      ...each(
        ({ key = x, ...options }: Change) => layer.projectKeys(key as never, options),
        [
          { key: zeros(4) },
          { key: zeros(0, 3, 4) },
          { value: zeros(2, 3, 4) },
          { keyLengths: [4] },
          { dtype: "int4" },
          { lengths: [1] },
        ],
      ),
      "keyLengths in a layer with extra keys": () => extra.projectKeys(x, { keyLengths: [1] }),
    },
    "MultiHeadAttention.createCache": each(
      (options: object) => layer.createCache(options as never),
      [{}, { capacity: 3, headDim: 4 }],
    ),
    "MultiHeadAttention.pruneHeads": each(
      ({ heads }: Change) => layer.pruneHeads(heads as never),
      [{ heads: 1 }, { heads: [2] }, { heads: [0, 1] }],
    ),
    "MultiHeadAttention.circuits": {
      "no head": () => layer.circuits(2),
      rotary: () => make({ rotary: {} }).circuits(0),
      qkNorm: () => make({ qkNorm: true }).circuits(0),
    },
    "MultiHeadAttention.headImportance": each(
      (options: object) => layer.headImportance(x, options),
      [{ cache: {} }, { out: {} }, { headGates: [1] }],
    ),
  };
}
