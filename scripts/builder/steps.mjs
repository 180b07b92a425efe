/** All steps, each after those that it needs, and what one may ask for. */
import { ABI } from "./abi.mjs";
import { BINARIES, KERNELS } from "./kernels.mjs";
import { PACKAGE } from "./package.mjs";
import { TOOLS } from "./tools.mjs";
import { WORKERS } from "./workers.mjs";

export const STEPS = [ABI, ...WORKERS, ...KERNELS, ...TOOLS, ...PACKAGE];

/** Names of steps by what one may ask for; the names of steps themselves may be asked for too. */
export const TARGETS = {
  /** What the package ships. */
  dist: ["dist"],
  /** What the tests read. */
  tests: ["dist", "debug"],
  /** What benches, bits and `npm start` run. */
  tools: ["dist", "tools"],
  /** What benches measure the ceilings with. */
  ceilings: ["ceilings-simd", "ceilings-relaxed"],
  workers: WORKERS.map(({ name }) => name),
  kernels: [...BINARIES, "debug"],
};
