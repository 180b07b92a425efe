import { createEngine } from "../../../dist/index.js";

export async function prepare({ q, k, v, shape: { causal }, io, threads }) {
  const engine = await createEngine(threads > 1 ? { threads } : {});
  const { build, threads: running } = engine.info;
  if (running !== threads) throw new Error(`runs on ${running} thread(s)`);
  let out;
  if (io === "copy") {
    const run = () => (out = engine.scaledDotProductAttention(q, k, v, { causal }));
    return { run, result: () => out.data, note: build };
  }
  const place = ({ data, dims }) => {
    const tensor = engine.tensor(dims);
    tensor.data.set(data);
    return tensor;
  };
  const [ownQ, ownK, ownV] = [q, k, v].map(place);
  out = engine.tensor(q.dims);
  return {
    run: () => engine.scaledDotProductAttention(ownQ, ownK, ownV, { causal, out }),
    result: () => out.data,
    note: build,
  };
}
