/** Projects of `test/consumers/`, installed as their users would. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Consumer {
  readonly folder: string;
  remove(): void;
}

/** A copy of a project, with the packages that it names and the packed one. */
export async function installConsumer(name: string, tarball: string): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), `headwise-${name}-`));
  cpSync(resolve("test/consumers", name), folder, { recursive: true });
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", ["install", ...options, tarball], { cwd: folder });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
