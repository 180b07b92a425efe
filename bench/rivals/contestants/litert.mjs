/** LiteRT.js (XNNPACK) is made for browsers: this file adds what it needs in Node. It has no single operator for attention. */
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";

const packaged = new URL("../node_modules/@litertjs/core/wasm/", import.meta.url);

/** Runs a classic script, as a web worker's `importScripts` does, and returns the one name that is needed. */
let loaded;
globalThis.self ??= globalThis;
globalThis.importScripts = (file) => {
  loaded = basename(file);
  const script = `${readFileSync(file, "utf8")}\nglobalThis.ModuleFactory = ModuleFactory;`;
  new Function("require", "__dirname", "__filename", script)(createRequire(import.meta.url), dirname(file), file);
};

/** The script is CommonJS in a package of modules, which Node's workers refuse: threads start from a copy elsewhere. */
function copyForThreads() {
  const copy = new URL("../node_modules/.cache/litert-wasm/", import.meta.url);
  const manifest = new URL("package.json", copy);
  if (!existsSync(manifest)) {
    cpSync(packaged, copy, { recursive: true });
    writeFileSync(manifest, '{ "type": "commonjs" }');
  }
  return copy;
}

export async function prepare({ inputs, model, io, threads }) {
  const { loadAndCompile, loadLiteRt, Tensor } = await import("@litertjs/core");
  await loadLiteRt(fileURLToPath(threads > 1 ? copyForThreads() : packaged), { threads: threads > 1 });
  const compiled = await loadAndCompile(model, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
  const tensors = () => Object.values(inputs).map(({ data, dims }) => new Tensor(data, dims));
  const release = (list) => list.forEach((tensor) => tensor.delete());
  const note = loaded.includes("compat") ? "without relaxed SIMD" : undefined;

  if (io === "resident") {
    const placed = tensors();
    let outputs = [];
    const run = async () => {
      release(outputs);
      outputs = await compiled.run(placed);
    };
    return { run, result: () => outputs[0].toTypedArray(), note };
  }
  let out;
  const run = async () => {
    const placed = tensors();
    const outputs = await compiled.run(placed);
    out = outputs[0].toTypedArray();
    release([...placed, ...outputs]);
  };
  return { run, result: () => out, note };
}
