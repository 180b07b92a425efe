import { scaledDotProductAttention } from "../../../dist/baseline/index.js";

export function prepare({ q, k, v, shape: { causal }, io }) {
  let out = io === "resident" ? { data: new Float32Array(q.data.length), dims: q.dims } : undefined;
  const options = { layout: "bhsd", causal, out };
  return { run: () => (out = scaledDotProductAttention(q, k, v, options)), result: () => out.data };
}
