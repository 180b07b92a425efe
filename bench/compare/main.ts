/** `npm run bench:compare -- REF`: is the working tree faster than REF? Both in one process, in turn, after both proved right. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { createEngine, Engine, EngineOptions, PackagedBuild } from "headwise";
import { hasRelaxedSimd } from "../../src/runtime/features.js";
import { residentCall, type Row } from "../context.js";
import { checkedError } from "../correctness.js";
import { inputsOf } from "../data.js";
import { measureRounds, summarise } from "../measure.js";
import { type AttentionShape, FORWARD, optionsOf, SMALL_CALLS } from "../shapes.js";
import { printTable, progress } from "../print.js";
import { buildRef, workingTree } from "./worktree.js";

const USAGE = `npm run bench:compare -- REF [--only TEXT] [--build simd|relaxed] [--threads N] [--rounds N] [--json]

  REF            what to compare with: a branch, a tag, a commit
  --only TEXT    shapes whose name contains the text
  --build NAME   one build; default: the fastest that this host validates
  --threads N    threads of both engines; default 1
  --rounds N     turns of each; default 15
  --json         print one JSON document instead of a table`;

/** The engine of another version may lack options. */
async function engineOf(folder: string, options: EngineOptions): Promise<Engine> {
  const module = (await import(pathToFileURL(join(folder, "dist/index.js")).href)) as { createEngine: typeof createEngine };
  return module.createEngine(options);
}

/** Elements of the results that differ by a bit. */
function differences(engines: readonly Engine[], shape: AttentionShape): number {
  const { q, k, v } = inputsOf(shape);
  const [before, now] = engines.map((engine) => engine.scaledDotProductAttention(q, k, v, optionsOf(shape)).data);
  return now!.reduce((count, value, index) => count + (value === before![index] ? 0 : 1), 0);
}

function compare(engines: readonly Engine[], shape: AttentionShape, rounds: number): Row {
  for (const engine of engines) checkedError(engine, shape);
  const calls = engines.map((engine) => residentCall(engine, shape));
  const [before, now] = measureRounds(
    calls.map(({ run }) => run),
    { rounds },
  );
  for (const call of calls) call.dispose();
  const medians = [before!, now!].map((samples) => samples.map((round) => summarise(round).median));
  const ratios = summarise(medians[1]!.map((median, round) => median / medians[0]![round]!));
  const [low, high] = ratios.spread;
  return {
    shape: shape.name,
    "REF, ms": summarise(before!.flat()).median,
    "now, ms": summarise(now!.flat()).median,
    "now / REF": ratios.median,
    "1st quartile": low,
    "3rd quartile": high,
    verdict: high < 1 ? "faster" : low > 1 ? "slower" : "same",
    "elements that differ": differences(engines, shape),
  };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      build: { type: "string", default: hasRelaxedSimd() ? "relaxed" : "simd" },
      threads: { type: "string", default: "1" },
      rounds: { type: "string", default: "15" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const [ref, ...others] = positionals;
  if (ref === undefined || others.length > 0) throw new TypeError("one REF is needed");
  const count = (name: "threads" | "rounds"): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 1) throw new TypeError(`--${name} ${values[name]}: not a number from 1 on`);
    return number;
  };
  const [threads, rounds] = [count("threads"), count("rounds")];
  if (values.build !== "simd" && values.build !== "relaxed") throw new TypeError(`--build ${values.build}: not simd or relaxed`);
  const build: PackagedBuild = values.build;
  const shapes = [...SMALL_CALLS, ...FORWARD].filter(({ name }) => name.includes(values.only));
  if (shapes.length === 0) throw new TypeError(`--only ${values.only}: no shape has that in its name`);

  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  progress(`building ${ref}`);
  const worktree = buildRef(ref);

  const options = threads === 1 ? { build } : { build, threads };
  const engines = [await engineOf(worktree.folder, options), await engineOf(workingTree, options)];
  const rows = shapes.map((shape) => {
    progress(`${build} ${shape.name}`);
    return compare(engines, shape, rounds);
  });
  progress("");
  for (const engine of engines) engine.dispose();
  if (values.json) console.log(JSON.stringify({ ref, commit: worktree.commit, build, threads, rows }, null, 2));
  else {
    console.log(`REF ${ref} = ${worktree.commit.slice(0, 10)} against the working tree, build ${build}, threads: ${threads}`);
    printTable(rows);
  }
}

main().catch((error: unknown) => {
  progress("");
  if ((error as { signal?: unknown }).signal === "SIGINT") process.exit(130); // Ctrl-C while the other version was being built
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
});
