/** What git knows about the repository that this file was built in. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** What git prints on standard output. If git fails, throws what it prints on standard error. */
export const git = (...args: string[]): string =>
  execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

/** @throws {TypeError} there is no such commit */
export function commitOf(ref: string): string {
  try {
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`);
  } catch {
    throw new TypeError(`REF ${ref}: git knows no such commit here`);
  }
}

/** The commit that is checked out, and whether anything differs from it. */
export const describeWorkingTree = (): string =>
  git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") === "" ? "" : " with changes");
