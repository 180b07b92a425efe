// An engine in a worker, compared with the reference: attention, a signal, an error, a tensor that stays in the worker.
import { createWorkerEngine } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";

/** @param options  of the engine */
export async function check(options) {
  try {
    const engine = await createWorkerEngine(options);
    const data = Float32Array.from({ length: 200 * 4 * 64 }, (_, index) => Math.sin(index * index));
    const x = { data, dims: [1, 200, 4, 64] };
    const expected = reference(x, x, x, { causal: true }).data;
    const out = await engine.scaledDotProductAttention(x, x, x, { causal: true });
    const controller = new AbortController();
    const aborted = engine.planAttention(x, x, x, { signal: controller.signal }).catch((reason) => reason);
    controller.abort("enough");
    const message = await engine.matmul(x, { data: new Float32Array(3), dims: [3, 1] }).catch(String);
    const tensor = await engine.tensor([2]);
    await tensor.write(Float32Array.of(3, 4), { transfer: true });
    const norm = await engine.rmsNorm(tensor);
    const { build, threads, threadsReason } = await engine.info;
    await engine.dispose();
    const after = await engine.planAttention(x, x, x).catch(String);
    const largestError = expected.reduce((most, value, index) => Math.max(most, Math.abs(value - out.data[index])), 0);
    const normed = [...norm.data].map((y) => y.toFixed(2)).join();
    return { build, threads, threadsReason, largestError, aborted: await aborted, message, normed, after };
  } catch (error) {
    return { error: String(error) };
  }
}
