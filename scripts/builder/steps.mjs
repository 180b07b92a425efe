/** All steps, each after those that it needs, and the targets that can be requested. */
import { ABI } from "./abi.mjs";
import { BINARIES, KERNELS } from "./kernels.mjs";
import { PACKAGE } from "./package.mjs";
import { TOOLS } from "./tools.mjs";
import { WORKERS } from "./workers.mjs";

export const STEPS = [ABI, ...WORKERS, ...KERNELS, ...TOOLS, ...PACKAGE];

/** Names of steps by target; a step can also be requested by its own name. */
export const TARGETS = {
  /** What the package ships. */
  dist: ["dist"],
  /** What the tests read. */
  tests: ["dist", "debug"],
  /** The programs of benches, bits and `npm start`. */
  tools: ["dist", "tools"],
  /** The binaries with which benches measure the ceilings. */
  ceilings: ["ceilings-simd", "ceilings-relaxed"],
  workers: WORKERS.map(({ name }) => name),
  kernels: [...BINARIES, "debug"],
};
