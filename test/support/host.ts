/** What the tests need of the host that they run in: `hostNode.ts` and `hostBrowser.ts` have it, and "#host" is one of them. */
import type { Build } from "../../src/runtime/builds.js";
import type { WorkerLike } from "../../src/runtime/workerLike.js";

export interface Host {
  /** With its version. */
  readonly name: string;
  /** Builds to test here. */
  readonly builds: readonly Build[];
  /** Why a build of these is not run, or undefined. */
  whyNot(build: Build): string | undefined;
  /** Of the engines on several threads; 1 leaves these out. */
  readonly threads: number;
  /** `build/<name>.wasm`: "simd", "attention-simd", … */
  readBinary(name: string): Uint8Array<ArrayBuffer>;
  /** A file with cases of other projects; undefined where they are absent. */
  readConformance(path: string): Promise<string | undefined>;
  /** A worker that runs `source`, whose kind is this host's. */
  startWorker(source: string): WorkerLike;
}
