// Runs the tests and ends with one plain line, "N passed, N failed, N skipped"; exits with 1 on a failure or when nothing ran.
// Arguments: --config, and names of files.
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

const { values, positionals } = parseArgs({ options: { config: { type: "string" } }, allowPositionals: true });
const vitest = await startVitest("test", positionals, { watch: false, ...values });
const counts = { passed: 0, failed: 0, skipped: 0 };
const skipped = [];
for (const module of vitest.state.getTestModules()) {
  if (module.errors().length > 0) counts.failed++;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    counts[state in counts ? state : "failed"]++;
    if (state === "skipped") skipped.push(test.fullName);
  }
}
const isBroken = vitest.state.getUnhandledErrors().length > 0;
await vitest.close();

for (const name of skipped) console.log(`skipped: ${name}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 || counts.passed === 0 || isBroken ? 1 : 0);
