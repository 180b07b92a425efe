// `npm run example -- start` runs what `npm start` runs, which uses the tools of the benchmarks.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const build = fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url));
execFileSync(process.execPath, [build, "tools", "ceilings"], { stdio: ["ignore", "ignore", "inherit"] });
await import("../../build/tools/examples/start/main.js");
