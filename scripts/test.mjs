// Runs the tests and ends with one plain line, "N passed, N failed, N skipped", after the names of skipped tests and the hosts in which
// the tests ran. `--update` writes snapshots. Exits with 1 on a failure or when nothing ran. Arguments: --config, --project, and file names.
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

const { values, positionals } = parseArgs({
  options: { config: { type: "string" }, project: { type: "string" }, update: { type: "boolean" } },
  allowPositionals: true,
});
const vitest = await startVitest("test", positionals, { watch: false, ...values });
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

for (const name of skipped) console.log(`skipped: ${name}`);
for (const [name, counts] of projects) if (name) console.log(`in ${name}: ${show(counts)}`);
console.log(show(all));
process.exit(all.failed > 0 || all.passed === 0 ? 1 : 0);
