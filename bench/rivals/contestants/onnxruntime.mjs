/** What onnxruntime-node and onnxruntime-web have in common: their interface. */

/** @param call  its model as models/onnx.mjs writes it: resident inputs are in there */
export async function prepareSession(ort, options, { q, k, v, model, io }) {
  const isResident = io === "resident";
  const session = await ort.InferenceSession.create(model, {
    ...options,
    // Else a graph that has constant inputs only is computed once, when it is loaded.
    graphOptimizationLevel: isResident ? "disabled" : "all",
    logSeverityLevel: 3,
  });
  const tensor = ({ data, dims }) => new ort.Tensor("float32", data, dims);
  const feeds = isResident ? {} : { q: tensor(q), k: tensor(k), v: tensor(v) };
  let out;
  return {
    run: async () => void ({ out } = await session.run(feeds, [isResident ? "corner" : "out"])),
    result: async () => (out ?? (await session.run(feeds, ["out"])).out).data,
  };
}
