// Applies each break to a copy of the sources, rebuilds what it affects and requires the tests to fail. Arguments: texts, one of which
// a rule must contain to be tried; --share 2/5: only every fifth, from the second on; --check: only check that each break still fits
// the sources.
//
// A break is a one-line change; there is at least one for each rule that the tests enforce. Breaks are in `test/*.breaks.mjs`, next to
// the tests that notice them. `find` occurs exactly once in the sources, anywhere; if it occurs in several files, `file` names the one
// that is meant, without its folder. `tests` narrows the suite to the files that must notice, named without ".test.ts",
// `needsThreads` widens it to engines of several threads, `needsDist` says that the tests look at what tsc writes, `needsWorkers` that
// they run in the packaged workers, `needsWide` that only a host for build "wide" notices.
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { GENERATED } from "./abi.mjs";
import { readShare } from "./share.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
execFileSync(process.execPath, ["scripts/build.mjs", "abi"], { cwd: root, stdio: "inherit" }); // writes some of the sources
const tests = readdirSync(join(root, "test")).filter((name) => name.endsWith(".breaks.mjs"));
const modules = await Promise.all(tests.sort().map((name) => import(pathToFileURL(join(root, "test", name)).href)));

const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root, encoding: "utf8" }).trim().split("\n");
const files = [...tracked, ...GENERATED];

/** What breaks may change: the product, the cases of the bits, and the builder. */
const sources = new Map(
  files
    .filter((file) => /^(assembly|src|test\/bits)\/.*\.ts$|^test\/\w+\.bits\.ts$|^scripts\/builder\//.test(file))
    .map((file) => [file, readFileSync(join(root, file), "utf8")]),
);
/** The paths at which a break fits, one for each occurrence. */
const pathsOf = ({ file, find }) =>
  [...sources]
    .filter(([path]) => file === undefined || basename(path) === file)
    .flatMap(([path, text]) => new Array(text.split(find).length - 1).fill(path));
const BREAKS = modules.flatMap((module) => module.default).map((each) => ({ ...each, paths: pathsOf(each) }));

const { values, positionals: wanted } = parseArgs({
  options: { check: { type: "boolean", default: false }, share: { type: "string", default: "1/1" } },
  allowPositionals: true,
});
const isCheck = values.check;
const isInShare = readShare(values.share);
if (!isInShare) {
  console.error(`--share must be like 2/5, got ${values.share}`);
  process.exit(2);
}
const isWanted = ({ rule }, index) => isInShare(index) && (wanted.length === 0 || wanted.some((text) => rule.includes(text)));
const [major, minor] = process.versions.v8.split(".").map(Number);
const canRunWide = process.arch === "x64" && (major > 13 || (major === 13 && minor >= 6));
const canRun = ({ needsWide }) => !needsWide || canRunWide;
const wantedBreaks = BREAKS.filter(isWanted);
const breaks = wantedBreaks.filter(canRun);
if (breaks.length === 0) {
  console.error(`no rule in share ${values.share} contains ${wanted.join(" or ")}`);
  process.exit(2);
}

const misfits = BREAKS.flatMap(({ rule, file = "the sources", find, paths }) =>
  paths.length === 1 ? [] : [`${rule}: occurs ${paths.length} times in ${file} (${paths.join(", ")}), expected once: ${find}`],
);
const testNames = new Set(
  readdirSync(join(root, "test")).flatMap((name) =>
    /\.test\.ts$/.test(name) ? [name.split(".")[0], name.slice(0, -".test.ts".length)] : [],
  ),
);
for (const { rule, tests } of BREAKS) {
  for (const name of tests ?? []) if (!testNames.has(name)) misfits.push(`${rule}: there is no test/${name}.test.ts`);
}
if (misfits.length > 0) console.error(misfits.join("\n"));
if (isCheck || misfits.length > 0) process.exit(misfits.length > 0 ? 1 : 0);

const node = (cwd, args, env = {}) =>
  new Promise((resolve) =>
    execFile(process.execPath, args, { cwd, maxBuffer: 2 ** 28, env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, output: (stdout + stderr).slice(-4000) }),
    ),
  );

execFileSync(process.execPath, ["scripts/build.mjs", "tests"], { cwd: root, stdio: "inherit" });

/** A copy of the built tree to break things in. */
function copy() {
  const folder = mkdtempSync(join(tmpdir(), "headwise-breaks-"));
  for (const file of [...files, "build", "dist", "src/runtime/binary"])
    cpSync(join(root, file), join(folder, file), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/**
 * The builds that a break is tried on: one, because all are built from the same sources; all of them where tests look at what the
 * compiler wrote.
 */
function buildsOf({ tests = [], needsWide }) {
  if (tests.some((name) => name === "abi" || name === "codegen"))
    return ["debug", "simd", "relaxed", ...(canRunWide ? ["wide"] : [])];
  return [needsWide ? "wide" : "simd"];
}
/** Less optimized and without the text where only results matter, which saves a second. Hence not with the builder. */
const compile = (folder, builds) =>
  Promise.all(
    builds.map((target) =>
      // prettier-ignore
      node(folder, [
        "node_modules/assemblyscript/bin/asc.js", "assembly/index.ts", "--target", target, "--use", "HAS_EVERY_OPTION_BUILD=1",
        ...(builds.length === 1 ? ["--optimizeLevel", "1"] : ["--textFile", `build/${target}.wat`]),
      ]),
    ),
  );
/** The slowest test; the other tests of the cache find whatever it finds. */
const NOT_ALONE = ["--exclude", "test/cacheWalk.test.ts"];
/** Runs test files in Node, all by default; engines of several threads, which are slow on few cores, only where they are needed. */
const test = (folder, names = [], needsThreads = false, builds = []) =>
  node(
    folder,
    // prettier-ignore
    [
      "node_modules/vitest/vitest.mjs", "run", "--project", "node", "--bail", "1", "--reporter", "dot", ...NOT_ALONE,
      ...names.map((name) => `test/${name}.`), // both <name>.test.ts and <name>.node.test.ts
    ],
    { ...(!needsThreads && { HEADWISE_TEST_THREADS: "1" }), HEADWISE_TEST_BUILDS: builds.join(), HEADWISE_TEST_WORKERS: "1" },
  );

/** Breaks, tests and restores; returns the problem with the break, or undefined if the tests noticed. */
async function survives(folder, each) {
  const { paths, find, replace, tests, needsDist, needsThreads, needsWorkers } = each;
  const builds = buildsOf(each);
  const [file] = paths;
  const path = join(folder, file);
  const original = readFileSync(path, "utf8");
  writeFileSync(
    path,
    original.replace(find, () => replace),
  );
  try {
    if (file.startsWith("assembly/")) {
      const failed = (await compile(folder, builds)).find((result) => result.failed);
      if (failed) return `does not compile, which proves nothing:\n${failed.output}`;
    }
    if (needsWorkers || needsDist) {
      const built = await node(folder, ["scripts/build.mjs", needsDist ? "dist" : "workers"]);
      if (built.failed) return `does not build, which proves nothing:\n${built.output}`;
    }
    return (await test(folder, tests, needsThreads, builds)).failed ? undefined : "no test noticed";
  } finally {
    writeFileSync(path, original);
    const restore = (path) => cpSync(join(root, path), join(folder, path), { recursive: true });
    if (needsWorkers || needsDist) restore("src/runtime/binary");
    if (needsDist) restore("dist");
    if (file.startsWith("assembly/")) restore("build");
  }
}

const folders = cpus().slice(0, 4).map(copy);
process.on("exit", () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
process.on("SIGINT", () => process.exit(130));

// All tests, or only those that the breaks name.
const needed = breaks.every(({ tests }) => tests) ? [...new Set(breaks.flatMap(({ tests }) => tests))] : [];
const whole = await test(folders[0], needed, true, [...new Set(breaks.map(({ needsWide }) => (needsWide ? "wide" : "simd")))]);
if (whole.failed) {
  console.error(`the suite is red before anything is broken:\n${whole.output}`);
  process.exit(1);
}

for (const { rule } of wantedBreaks.filter((each) => !canRun(each))) console.log(`not run  ${rule}`);
const queue = [...breaks];
const survivors = [];
await Promise.all(
  folders.map(async (folder) => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const problem = await survives(folder, next);
      console.log(`${problem ? "SURVIVED" : "killed  "} ${next.rule}${problem ? `\n         ${problem}` : ""}`);
      if (problem) survivors.push(next);
    }
  }),
);
console.log(`${breaks.length - survivors.length} of ${breaks.length} breaks turn the suite red (share ${values.share} of all)`);
process.exitCode = survivors.length > 0 ? 1 : 0;
