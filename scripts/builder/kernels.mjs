/** assembly/ → build/*.wasm: the binaries that are packaged, the debug build that tests compare them with, and the benches' ceilings. */
import { mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { beside, withImports } from "./files.mjs";
import { manifestsOf, root, runTool, scripts } from "./tool.mjs";

const OWN = [...scripts("kernels"), ...manifestsOf("assemblyscript", "binaryen")];
const ALL = "assembly/index.ts";
const ATTENTION = "assembly/attentionOnly.ts";
const CEILINGS = "bench/ceilings/assembly/ceilings.ts";

/** Builds in the package, each for all operations and for attention alone. The slowest to compile come first. */
export const PACKAGED = ["wide", "relaxed", "simd"];
/** Names of the packaged binaries, and of the steps that make them. */
export const BINARIES = [...PACKAGED, ...PACKAGED.map((build) => `attention-${build}`)];

/**
 * @param {string} name  of the step, and of its file in build/
 * @param {string} entry
 * @param {string[]} options  of the compiler
 * @param {{ hasText?: boolean, configs?: string[] }} [more]  whether a test reads its text; settings files
 */
const step = (name, entry, options, { hasText = false, configs = ["asconfig.json"] } = {}) => {
  const outputs = [`build/${name}.wasm`, ...(hasText ? [`build/${name}.wat`] : [])];
  return {
    name,
    makes: `${dirname(entry)} → ${outputs.join(", ")}`,
    inputs: () => [...OWN, ...configs, ...withImports(root, [entry])],
    outputs,
    async run() {
      mkdirSync(`${root}build`, { recursive: true });
      const [binary, text] = outputs.map(beside);
      await runTool(
        "assemblyscript/bin/asc.js",
        entry,
        ...options,
        "--outFile",
        binary,
        ...(text === undefined ? [] : ["--textFile", text]),
      );
      for (const output of outputs) renameSync(`${root}${beside(output)}`, `${root}${output}`);
    },
  };
};

/** The kernels' settings are in asconfig.json. `test/codegen.node.test.ts` reads the texts. */
const NOTICE = "compiling kernels; all of them take about a minute";
const kernels = (name, target, entry, hasText) => ({
  needs: ["abi"],
  ...step(name, entry, ["--target", target, "--use", `HAS_EVERY_OPTION_BUILD=${entry === ALL ? 1 : 0}`], { hasText }),
  notice: NOTICE,
});

/** `--config none` leaves out the kernels' settings. */
const ceilings = (name, features) =>
  step(
    name,
    CEILINGS,
    [
      "--config",
      "none",
      "-O3",
      "--runtime",
      "stub",
      "--noAssert",
      "--use",
      "IS_WIDE_BUILD=0",
      "--use",
      "HAS_EVERY_OPTION_BUILD=0",
      "--enable",
      features,
    ],
    { configs: [] },
  );

export const KERNELS = [
  ...PACKAGED.map((build) => kernels(build, build, ALL, true)),
  ...PACKAGED.map((build) => kernels(`attention-${build}`, build, ATTENTION, false)),
  kernels("debug", "debug", ALL, true),
  ceilings("ceilings-simd", "simd"),
  ceilings("ceilings-relaxed", "simd,relaxed-simd"),
];
