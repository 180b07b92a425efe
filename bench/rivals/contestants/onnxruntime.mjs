/** The interface that onnxruntime-node and onnxruntime-web share. */

/** @param task  its model as models/onnx.mjs writes it, with constants and resident inputs included */
export async function prepareSession(ort, options, { inputs, model, io }) {
  const isResident = io === "resident";
  const session = await ort.InferenceSession.create(model, {
    ...options,
    // Otherwise a graph that has only constant inputs is computed once, when it is loaded.
    graphOptimizationLevel: isResident ? "disabled" : "all",
    logSeverityLevel: 3,
  });
  const tensor = ({ data, dims }) => new ort.Tensor("float32", data, dims);
  const feeds = isResident ? {} : Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, tensor(value)]));
  let out;
  return {
    run: async () => void ({ out } = await session.run(feeds, [isResident ? "corner" : "out"])),
    result: async () => (out ?? (await session.run(feeds, ["out"])).out).data,
  };
}
