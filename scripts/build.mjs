// Builds what is named and not up to date: `node scripts/build.mjs dist tools`; without a name, all that the package and the tests need.
// scripts/builder/ has the steps. Messages go to standard error.
import { constants } from "node:os";
import { build } from "./builder/engine.mjs";
import { STEPS, TARGETS } from "./builder/steps.mjs";
import { root } from "./builder/tool.mjs";

const report = (line) => process.stderr.write(`${line}\n`);

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(128 + constants.signals[signal]));

const asked = process.argv.slice(2);
const wanted = (asked.length === 0 ? ["tests"] : asked).flatMap((name) => TARGETS[name] ?? [name]);
try {
  await build(STEPS, wanted, { root, report });
} catch (error) {
  report(`the build failed: ${error.message}`);
  process.exitCode = 1;
}
