/** The host-dependent functions that the tests need: `hostNode.ts` and `hostBrowser.ts` have them, and "#host" is one of the two. */
import type { Build } from "../../src/runtime/builds.js";
import type { WorkerLike } from "../../src/runtime/workerLike.js";

export interface Host {
  /** With its version. */
  readonly name: string;
  /** Builds to test here. */
  readonly builds: readonly Build[];
  /** Why one of these builds is not run, or undefined. */
  whyNot(build: Build): string | undefined;
  /** Threads of the engines on several threads; with 1 there are none. */
  readonly threads: number;
  /** `build/<name>.wasm`: "simd", "attention-simd", … */
  readBinary(name: string): Uint8Array<ArrayBuffer>;
  /** A file with cases from other projects; undefined if they are absent. */
  readConformance(path: string): Promise<string | undefined>;
  /** A worker of this host's kind that runs `source`. */
  startWorker(source: string): WorkerLike;
}
