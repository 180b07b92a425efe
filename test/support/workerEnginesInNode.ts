/** Engines in workers of Node, and in separate processes. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { source as engineWorker } from "../../src/runtime/binary/engineWorker.js";

/** The worker in the package. */
export const packaged = (): Worker => new Worker(engineWorker, { eval: true });

/** Runs a script in a separate process, with the built package. */
export const run = (flags: string[], script: string) => {
  const dist = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
  const text = `import { createWorkerEngine } from ${JSON.stringify(dist)};\n${script}`;
  return spawnSync(process.execPath, [...flags, "--input-type=module", "-e", text], { encoding: "utf8", timeout: 20_000 });
};
