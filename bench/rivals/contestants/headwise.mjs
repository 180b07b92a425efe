import { createEngine } from "../../../dist/index.js";

/** What a kind calls: a function of its inputs and, if the result goes there, of `out`. */
const callsOf = {
  attention(engine, { inputs: { k, v }, shape: { causal, kvLen, numKvHeads, headDim }, io }) {
    if (kvLen === undefined || io === "copy")
      return ({ q, k, v }, out) => engine.scaledDotProductAttention(q, k, v, { causal, out });
    const cache = engine.createKVCache({ numKvHeads, headDim, capacity: kvLen });
    cache.append(k, v);
    return ({ q }, out) => cache.attend(q, { causal, out });
  },
  matmul(engine, { constants: { b }, shape: { bIsInput } }) {
    if (bIsInput) return ({ a, b: fed }, out) => engine.matmul(a, fed, { out });
    const packed = engine.packMatrix(b);
    return ({ a }, out) => engine.matmul(a, packed, { out });
  },
  softmax:
    (engine) =>
    ({ x }, out) =>
      engine.softmax(x, { out }),
  layer(engine, { constants, shape: { embedDim, numHeads } }) {
    const { qMatrix: q, kMatrix: k, vMatrix: v, outMatrix, ...biases } = constants;
    const config = { embedDim, numHeads, weightLayout: "inOut" };
    const layer = engine.createMultiHeadAttention(config, { q, k, v, out: outMatrix, ...biases });
    return ({ x }, out) => layer.forward(x, { out });
  },
  linear:
    (engine, { shape: { causal } }) =>
    ({ q, k, v }, out) =>
      engine.linearAttention(q, k, v, { causal, out }),
};

export const prepare = (task) => prepareBuild(undefined, task);

/** @param build  undefined for the best one that this host runs */
export async function prepareBuild(build, task) {
  const { kind, inputs, outDims, shape, io, threads } = task;
  const engine = await createEngine({ build, threads });
  const { build: running, threads: count } = engine.info;
  if (count !== threads) throw new Error(`runs on ${count} thread(s)`);
  const call = callsOf[kind](engine, task);
  let out;
  if (io === "copy") return { run: () => (out = call(inputs)), result: () => out.data, note: running };

  const store = ({ data, dims }) => {
    const tensor = engine.tensor(dims);
    tensor.data.set(data);
    return tensor;
  };
  const hasCache = kind === "attention" && shape.kvLen !== undefined;
  const names = Object.keys(inputs).filter((name) => !hasCache || name === "q");
  const own = Object.fromEntries(names.map((name) => [name, store(inputs[name])]));
  out = engine.tensor(outDims);
  return { run: () => call(own, out), result: () => out.data, note: hasCache ? `${running}, cache` : running };
}
