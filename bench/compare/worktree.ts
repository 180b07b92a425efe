/** Another commit, checked out and built in a temporary folder that is removed when this process ends, however it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { git, root } from "./git.js";

/** Checks the commit out and builds it; returns its folder. */
export async function buildCommit(commit: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "headwise-compare-"));
  process.once("exit", () => remove(folder));
  // A signal would end the process without the event "exit".
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));

  git("worktree", "add", "--detach", folder, commit);
  const lock = "package-lock.json";
  if (readFileSync(join(folder, lock)).equals(readFileSync(join(root, lock))))
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  else await run(folder, "npm", "ci", "--no-audit", "--no-fund");
  // A content-based builder reuses what both commits share; older ones build everything, whatever is there or requested.
  if (existsSync(join(folder, "scripts/builder/engine.mjs"))) {
    const filter = (path: string): boolean => path !== join(root, "build/lock");
    for (const built of ["build", "src/runtime/binary"])
      cpSync(join(root, built), join(folder, built), { recursive: true, filter });
  }
  await run(folder, process.execPath, "scripts/build.mjs", "dist");
  return folder;
}

function remove(folder: string): void {
  if (running?.pid !== undefined) killGroup(running.pid);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  git("worktree", "prune");
}

let running: ChildProcess | undefined;

/** Runs a command in its own process group, so that nothing outlives this process. Its output goes to standard error. */
const run = (folder: string, command: string, ...args: string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    running = spawn(command, args, { cwd: folder, stdio: ["ignore", 2, 2], detached: true });
    running.once("error", reject);
    running.once("exit", (code, signal) => {
      running = undefined;
      if (code === 0) resolve();
      else reject(new Error(`${[command, ...args].join(" ")} ended with ${signal ?? code} in the other commit`));
    });
  });

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
