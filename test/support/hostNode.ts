/** Node as a host of tests. */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { BUILDS } from "../../src/runtime/abi.generated.js";
import { hasRelaxedSimd } from "../../src/runtime/features.js";
import { enableWide, whyNotWide } from "../../src/runtime/wide.js";
import { readConformance } from "./conformanceFile.js";
import type { Host } from "./host.js";

/** The requested builds; all if none is named. */
const wanted = (process.env["HEADWISE_TEST_BUILDS"] ?? "").split(",").filter((name) => name !== "");

// Optimized immediately, so that the tests run the revectorizer's code; without it this has no effect.
if (whyNotWide() === undefined) {
  enableWide("test");
  setFlagsFromString("--no-liftoff");
}

export const host: Host = {
  name: `Node ${process.versions.node}`,
  builds: BUILDS,
  // "wide" runs wherever "relaxed" does, if not as fast
  whyNot: (build) => {
    if (wanted.length > 0 && !wanted.includes(build)) return `only ${wanted.join(" and ")} wanted`;
    return (build === "relaxed" || build === "wide") && !hasRelaxedSimd() ? "this host does not validate relaxed SIMD" : undefined;
  },
  // The default is not a power of two, and more than most test machines have to spare.
  threads: Number(process.env["HEADWISE_TEST_THREADS"] ?? 3),
  readBinary: (name) => new Uint8Array(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url))),
  readConformance: (path) => Promise.resolve(readConformance(path)),
  startWorker: (source) => new Worker(source, { eval: true }),
};
