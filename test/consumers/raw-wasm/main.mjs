// Computes with the kernels in a file of headwise/wasm; prints the engine's info and its largest error. Arguments: the file's name;
// the form in which the kernels are passed: module, bytes or url; threads.
import { readFileSync } from "node:fs";
import { createEngine } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import { scaledDotProductAttention as reference } from "headwise/reference";

const [name, kind, threads] = process.argv.slice(2);
const url = new URL(import.meta.resolve(`headwise/wasm/${name}.wasm`));
const bytes = readFileSync(url);
const module = new WebAssembly.Module(bytes);

const [memory, ...others] = WebAssembly.Module.imports(module);
const links = (shared) => {
  try {
    new WebAssembly.Instance(module, { env: { memory: new WebAssembly.Memory({ initial: 2, maximum: 16, shared }) } });
    return true;
  } catch {
    return false;
  }
};

const create = name.startsWith("attention-") ? createAttentionEngine : createEngine;
const engine = await create({ wasm: { module, bytes, url }[kind], threads: Number(threads) });
const dims = [1, 200, 4, 64];
let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5;
const tensor = () => ({ data: Float32Array.from({ length: 200 * 4 * 64 }, random), dims });
const [q, k, v] = [tensor(), tensor(), tensor()];
const out = engine.scaledDotProductAttention(q, k, v, { causal: true });
const truth = reference(q, k, v, { causal: true });
const error = out.data.reduce((most, each, index) => Math.max(most, Math.abs(each - truth.data[index])), 0);

const { build, threads: running, threadsReason } = engine.info;
console.log(
  JSON.stringify({
    imports: [memory.kind, others.length],
    links: { shared: links(true), unshared: links(false) },
    engine: { build, threads: running, threadsReason },
    error,
  }),
);
engine.dispose();
