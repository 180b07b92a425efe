/** `npm run bits`: checks that hosts give the checked-in bits. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Bits, differences } from "./compute.js";
import { readExpected, writeExpected } from "./expected.js";
import type { Answer } from "./host.js";
import { ask, askProcess, type BitsHost, bundle, find, HOST_NAMES, type HostName } from "./run.js";
import { printTable } from "./table.js";

const USAGE = `npm run bits [-- --host NAME …] [--update]

  --host NAME    one of ${HOST_NAMES.join(", ")}; may be repeated. Default: all
  --update       writes this Node's hashes, on one thread, to test/bits/expected.json, and lists the changes
  --help         this text

Each host computes every case of test/*.bits.ts on the simd build, on one thread and on two. Exits with 1 if a hash differs from
test/bits/expected.json.`;

interface Options {
  readonly hosts: readonly HostName[];
  readonly isUpdate: boolean;
}

/** Undefined when help is requested. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      host: { type: "string", multiple: true },
      update: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const hosts = (values.host ?? HOST_NAMES).map((wanted) => {
    const name = HOST_NAMES.find((known) => known.toLowerCase() === wanted.toLowerCase());
    if (name === undefined) throw new TypeError(`--host ${wanted}: not one of ${HOST_NAMES.join(", ")}`);
    return name;
  });
  return { hosts, isUpdate: values.update };
}

/** Runs `work` on a bundle of the built package. */
async function withBundle<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "headwise-bits-"));
  try {
    await bundle(resolve("dist/index.js"), folder);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes this Node's hashes; returns an exit code. */
async function update(folder: string): Promise<number> {
  const { bits, problem } = await askProcess(process.execPath, [], folder);
  if (!bits) {
    console.error(problem);
    return 1;
  }
  const old = readExpected().cases;
  const changes = differences(bits, old);
  for (const [each, outputs] of changes) {
    const what = !(each in old) ? "new" : !(each in bits) ? "gone" : `changed: ${outputs.join(", ")}`;
    console.log(`${each}: ${what}`);
  }
  writeExpected(bits);
  console.log(`${changes.size} of ${Object.keys(bits).length} cases changed`);
  return 0;
}

/** Runs one host after the other and prints the table; returns an exit code. */
async function compare(folder: string, names: readonly HostName[], expected: Bits): Promise<number> {
  const asked: { host: BitsHost; answer: Answer | undefined }[] = [];
  for (const name of names) {
    const host = await find(name);
    asked.push({ host, answer: host.reason === undefined ? await ask(host, folder) : undefined });
  }
  return printTable(asked, expected) ? 0 : 1;
}

async function main({ hosts, isUpdate }: Options): Promise<number> {
  return withBundle((folder) => (isUpdate ? update(folder) : compare(folder, hosts, readExpected().cases)));
}

let options: Options | undefined;
try {
  options = readOptions();
  if (!options) console.log(USAGE);
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
if (options) process.exitCode = await main(options);
