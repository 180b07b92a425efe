// `npm run example -- start` runs what `npm start` runs, which is compiled with the tools.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const build = fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url));
execFileSync(process.execPath, [build, "tools"], { stdio: ["ignore", "ignore", "inherit"] });
await import("../../build/tools/examples/start/main.js");
