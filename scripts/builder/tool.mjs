/** Runs the tools of the build as processes that end with this one. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Runs a script of a dev dependency. Its output is shown in one piece once it has ended; throws if it failed. */
export const runTool = (script, ...args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${root}node_modules/${script}`, ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (printed += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      process.stderr.write(printed);
      if (code === 0) resolve();
      else reject(new Error(`${script} ${args.join(" ")} ended with ${signal ?? code}`));
    });
  });

/** The files that say which version of a package is installed. */
export const manifestsOf = (...packages) => packages.map((name) => `node_modules/${name}/package.json`);

/** A step's own script, and those that all steps share: if these change, outputs may change. */
export const scripts = (name) => [`scripts/builder/${name}.mjs`, "scripts/builder/tool.mjs", "scripts/builder/files.mjs"];
