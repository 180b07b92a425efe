/** `npm run bench`: where the time goes, next to what this host can do at most, measured in the same run. */
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { PackagedBuild } from "headwise";
import { hasRelaxedSimd } from "../src/runtime/features.js";
import type { Context, Row, Section } from "./context.js";
import { printTable, progress } from "./print.js";

/** The sections: every file of `sections/` exports one. */
async function findSections(): Promise<readonly Section[]> {
  const folder = new URL("sections/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const modules = await Promise.all(files.map((name) => import(new URL(name, folder).href) as Promise<{ default: Section }>));
  return modules.map(({ default: section }) => section).sort((a, b) => a.name.localeCompare(b.name));
}
const SECTIONS = await findSections();

const USAGE = `npm run bench -- [SECTION …] [--only TEXT] [--build simd|relaxed] [--threads N] [--json]
npm run bench -- rivals [options]    headwise next to other libraries; see rivals --help

  SECTION        ${SECTIONS.map(({ name }) => name).join(", ")}; default: all
  --only TEXT    shapes whose name contains the text, such as "1024" or "causal"
  --build NAME   one build; default: each that this host validates
  --threads N    threads of the engines that share calls; default 2
  --json         print one JSON document instead of tables`;

function buildsOf(wanted: string | undefined): PackagedBuild[] {
  if (wanted === undefined) return hasRelaxedSimd() ? ["simd", "relaxed"] : ["simd"];
  if (wanted !== "simd" && wanted !== "relaxed") throw new TypeError(`--build ${wanted}: not simd or relaxed`);
  if (wanted === "relaxed" && !hasRelaxedSimd()) throw new TypeError("--build relaxed: this host does not validate relaxed SIMD");
  return [wanted];
}

function sectionsOf(names: readonly string[]): readonly Section[] {
  for (const name of names) {
    if (!SECTIONS.some((section) => section.name === name)) throw new TypeError(`${name}: not a section`);
  }
  return names.length === 0 ? SECTIONS : SECTIONS.filter(({ name }) => names.includes(name));
}

/** `bench/rivals` is JavaScript with its own packages and its own options. */
async function runRivals(): Promise<void> {
  process.argv.splice(2, 1);
  await import(new URL("../../../bench/rivals/main.mjs", import.meta.url).href);
}

async function main(): Promise<void> {
  if (process.argv[2] === "rivals") {
    await runRivals();
    return;
  }
  const { values, positionals } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      build: { type: "string" },
      threads: { type: "string", default: "2" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const threadCount = Number(values.threads);
  if (!Number.isInteger(threadCount) || threadCount < 1)
    throw new TypeError(`--threads ${values.threads}: not a number of threads`);
  const sections = sectionsOf(positionals);
  const context: Context = {
    builds: buildsOf(values.build),
    threads: threadCount,
    wants: (name) => name.includes(values.only),
    progress,
  };

  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    node: process.version,
    v8: process.versions.v8,
    date: new Date().toISOString().slice(0, 10),
  };
  if (!values.json) console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node} (V8 ${machine.v8})`);
  const results: Record<string, Row[]> = {};
  for (const section of sections) {
    const rows = await section.run(context);
    progress("");
    results[section.name] = rows;
    if (values.json || rows.length === 0) continue;
    console.log(`\n${section.title}`);
    printTable(rows);
  }
  if (Object.values(results).every((rows) => rows.length === 0)) {
    throw new TypeError(`--only ${values.only}: no shape of ${sections.map(({ name }) => name).join(", ")} has that in its name`);
  }
  if (values.json) console.log(JSON.stringify({ machine, results }, null, 2));
  else if (!hasRelaxedSimd()) console.log("relaxed: not run, this host does not validate relaxed SIMD");
}

// A reader that has seen enough, such as `head`, closes the pipe: not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

main().catch((error: unknown) => {
  progress("");
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
});
