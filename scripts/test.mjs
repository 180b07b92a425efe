// Runs the tests and ends with one plain line, "N passed, N failed, N skipped", after the names of skipped tests and the hosts in which
// the tests ran. Exits with 1 on a failure or when nothing ran, with 2 where the arguments are wrong.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { readShare } from "./share.mjs";

const USAGE = `npm test -- [options] [names]
npm run test:packaged -- [options] [names]

  names           only the test files whose path contains one of these: softmax. packaged/types
  --project NAME  in one host only: node, chromium, firefox or webkitgtk
  --share 2/5     of the heavy tests (*.heavy.test.ts), and of the long ones in Firefox and WebKitGTK (test/hosts/longTests.ts), only
                  every fifth file, from the second on; default 1/1
  --config FILE   Vitest's configuration
  --update        writes the snapshots anew
  --build TARGET  first builds that, unless it is up to date
  -h, --help      this text

Environment: HEADWISE_TEST_BUILDS=simd,relaxed tests these builds only; HEADWISE_TEST_THREADS=1 no engines of several threads.
HEADWISE_REQUIRE_HOSTS=1 makes a missing host a failure, CHROMIUM, FIREFOX and WEBKITGTK name those browsers' executables,
HEADWISE_CONFORMANCE a folder of further cases.`;

function readArguments() {
  const text = { type: "string" };
  const options = {
    config: text,
    project: text,
    build: text,
    share: { ...text, default: "1/1" },
    update: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const isInShare = readShare(values.share);
    if (isInShare) return { ...values, isInShare, names: positionals };
    throw new Error(`--share must be like 2/5, got ${values.share}`);
  } catch ({ message }) {
    console.error(`${message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { help, build, config, project, share, update, isInShare, names } = readArguments();
if (help) {
  console.log(USAGE);
  process.exit();
}
if (build !== undefined) {
  const { status } = spawnSync(process.execPath, ["scripts/build.mjs", build], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
process.env.HEADWISE_SHARE = share; // for vitest.config.ts
const { startVitest } = await import("vitest/node");
const left = readdirSync("test/packaged")
  .filter((name) => name.endsWith(".heavy.test.ts"))
  .sort()
  .filter((_, index, { length }) => !isInShare(index, length))
  .map((name) => `test/packaged/${name}`);
const vitest = await startVitest("test", names, { watch: false, cliExclude: left, config, project, update });
const show = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;
/** By name of the project. */
const projects = new Map();
const all = { passed: 0, failed: 0, skipped: 0 };
const skipped = [];
for (const module of vitest.state.getTestModules()) {
  const { name } = module.project;
  if (!projects.has(name)) projects.set(name, { passed: 0, failed: 0, skipped: 0 });
  const counts = projects.get(name);
  const count = (state) => {
    counts[state]++;
    all[state]++;
  };
  if (module.errors().length > 0) count("failed");
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    count(state in all ? state : "failed");
    if (state === "skipped") skipped.push(`${name && `${name} › `}${test.fullName}`);
  }
}
all.failed += vitest.state.getUnhandledErrors().length; // such as a browser that does not start
await vitest.close();

for (const file of left) console.log(`not in share ${share}: ${file}`);
for (const name of skipped) console.log(`skipped: ${name}`);
for (const [name, counts] of projects) if (name) console.log(`in ${name}: ${show(counts)}`);
console.log(show(all));
process.exit(all.failed > 0 || all.passed === 0 ? 1 : 0);
