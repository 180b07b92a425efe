/** Another version of the project beside this one, built. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();

export interface Worktree {
  readonly commit: string;
  readonly folder: string;
}

/** Checks the ref out into a temporary folder and builds it there. The folder goes when the process does. */
export function buildRef(ref: string): Worktree {
  let commit: string;
  try {
    commit = git("rev-parse", "--verify", "--quiet", `${ref}^{commit}`);
  } catch {
    throw new TypeError(`${ref}: git knows no such commit`);
  }
  const folder = join(mkdtempSync(join(tmpdir(), "headwise-compare-")), "tree");
  process.on("exit", () => {
    rmSync(join(folder, ".."), { recursive: true, force: true });
    git("worktree", "prune");
  });
  git("worktree", "add", "--quiet", "--detach", folder, commit);
  const lock = (path: string): string => readFileSync(join(path, "package-lock.json"), "utf8");
  if (lock(folder) === lock(root)) symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  else execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  execFileSync(process.execPath, ["scripts/build.mjs"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  return { commit, folder };
}

/** The folder that this runs from. */
export const workingTree = root;
