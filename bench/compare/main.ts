/** `npm run bench:compare`: the working tree next to another commit, in one process, on the same inputs, at the same time. */
import { cpus } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import * as tree from "headwise";
import { printTable, progress } from "../print.js";
import { type Contender, open } from "./contender.js";
import { duel, type Pair, type Row } from "./duel.js";
import { commitOf, describeWorkingTree } from "./git.js";
import { type Options, readOptions, USAGE } from "./options.js";
import { buildCommit } from "./worktree.js";

/** The build that an engine chooses on this host. */
async function bestBuild(): Promise<tree.PackagedBuild> {
  const engine = await tree.createEngine();
  const { build } = engine.info;
  engine.dispose();
  return build === "relaxed" ? "relaxed" : "simd";
}

async function race(contenders: Pair<Contender>, { calls, rounds }: Options): Promise<Row[]> {
  const engines = { ref: contenders.ref.engine, tree: contenders.tree.engine };
  const rows: Row[] = [];
  for (const call of calls) {
    const step = async (text: string): Promise<void> => {
      progress(`${call.shape}: ${text}`);
      await setImmediate();
    };
    rows.push(await duel(engines, call, rounds, step));
  }
  progress("");
  return rows;
}

const print = (rows: readonly Row[]): void =>
  printTable(
    rows.map(({ shape, io, milliseconds, ratio, verdict, differing, elements }) => ({
      shape,
      io,
      "REF, ms": milliseconds.ref.median,
      "tree, ms": milliseconds.tree.median,
      "tree / REF": ratio.median.toFixed(3),
      "1st quartile": ratio.spread[0].toFixed(3),
      "3rd quartile": ratio.spread[1].toFixed(3),
      verdict,
      "bits differ": differing === 0 ? "nowhere" : `in ${differing} of ${elements}`,
    })),
  );

async function compare(options: Options, commit: string): Promise<void> {
  const { ref, rounds, threads, json } = options;
  const build = options.build ?? (await bestBuild());
  progress(`building ${ref}`);
  const folder = await buildCommit(commit);
  const other = (await import(pathToFileURL(join(folder, "dist/index.js")).href)) as typeof tree;
  const contenders: Pair<Contender> = {
    ref: await open(other.createEngine, build, threads),
    tree: await open(tree.createEngine, build, threads),
  };

  const machine = { cpu: cpus()[0]?.model ?? "unknown", node: process.version, v8: process.versions.v8 };
  const names: Pair<string> = { ref: `${ref} (${commit.slice(0, 7)})`, tree: `the working tree (${describeWorkingTree()})` };
  const notes = (["ref", "tree"] as const).flatMap((side) => {
    const { note } = contenders[side];
    return note === undefined ? [] : [`${names[side]} ${note}`];
  });
  if (!json) {
    console.log(
      `${machine.cpu}, Node ${machine.node} (V8 ${machine.v8}), build ${build}, ${threads ?? 1} thread(s), ${rounds} rounds`,
    );
    console.log(`REF is ${names.ref}, tree is ${names.tree}`);
    for (const note of notes) console.log(note);
  }
  const rows = await race(contenders, options);
  if (json) {
    const running: Pair<number> = { ref: contenders.ref.threads, tree: contenders.tree.threads };
    console.log(JSON.stringify({ machine, ...names, build, threads: running, rounds, notes, rows }, null, 2));
  } else print(rows);
  for (const { engine } of [contenders.ref, contenders.tree]) engine.dispose();
}

function read(): { options: Options; commit: string } | undefined {
  try {
    const options = readOptions();
    return options && { options, commit: commitOf(options.ref) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const asked = read();
if (asked) {
  try {
    await compare(asked.options, asked.commit);
  } catch (error) {
    progress("");
    console.error(error);
    process.exit(1); // workers that still run would keep the process alive
  }
} else console.log(USAGE);
