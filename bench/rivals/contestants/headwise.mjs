import { createEngine } from "../../../dist/index.js";

export const prepare = (call) => prepareBuild(undefined, call);

/** @param build  undefined for the one that the host's best is */
export async function prepareBuild(build, { q, k, v, shape: { causal, kvLen, numKvHeads, headDim }, io, threads }) {
  const engine = await createEngine({ build, threads });
  const { build: note, threads: running } = engine.info;
  if (running !== threads) throw new Error(`runs on ${running} thread(s)`);
  let out;
  if (io === "copy") {
    const run = () => (out = engine.scaledDotProductAttention(q, k, v, { causal }));
    return { run, result: () => out.data, note };
  }
  const place = ({ data, dims }) => {
    const tensor = engine.tensor(dims);
    tensor.data.set(data);
    return tensor;
  };
  out = engine.tensor(q.dims);
  if (kvLen !== undefined) {
    const cache = engine.createKVCache({ numKvHeads, headDim, capacity: kvLen });
    cache.append(k, v);
    const ownQ = place(q);
    return { run: () => cache.attend(ownQ, { causal, out }), result: () => out.data, note: `${note}, cache` };
  }
  const [ownQ, ownK, ownV] = [q, k, v].map(place);
  return {
    run: () => engine.scaledDotProductAttention(ownQ, ownK, ownV, { causal, out }),
    result: () => out.data,
    note,
  };
}
