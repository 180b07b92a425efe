/** Projects of `test/consumers/` with the packed package installed, each in its own temporary folder. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const CONSUMERS = resolve("test/consumers");
const QUIET = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];

/** The output of a command, by stream. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

export interface Consumer {
  readonly folder: string;
  /** Runs an executable in the folder; fails with its output unless it exits with 0. */
  run(executable: string, ...args: readonly string[]): Promise<Printed>;
  remove(): void;
}

/**
 * Copies projects into one folder, later ones over earlier ones, and installs the tarball in addition to the packages that their
 * package.json names. A name may also be that of a single file.
 */
export async function install(tarball: string, ...names: readonly string[]): Promise<Consumer> {
  const consumer = copyConsumer(...names);
  await consumer.run("npm", "install", ...QUIET, tarball);
  return consumer;
}

/** The same, without installing anything. */
export function copyConsumer(...names: readonly string[]): Consumer {
  const folder = mkdtempSync(join(tmpdir(), "headwise-consumer-"));
  for (const name of names) {
    cpSync(join(CONSUMERS, name), name.includes(".") ? join(folder, name) : folder, { recursive: true });
  }
  return consumerIn(folder);
}

/** Installs tools for a consumer, in a folder of their own. */
export const installTools = (consumer: Consumer, ...packages: readonly string[]): Promise<unknown> =>
  consumer.run("npm", "install", ...QUIET, "--prefix", "tools", ...packages);

/** A consumer in an existing folder. @param timeout  milliseconds of a command; a loaded machine takes minutes for some */
export const consumerIn = (folder: string, timeout = 600_000): Consumer => ({
  folder,
  run: async (executable, ...args) => {
    try {
      return await execute(executable, args, { cwd: folder, timeout, env: environment() });
    } catch (error) {
      const { stdout, stderr, message } = error as Printed & Error;
      throw new Error(`${message}\n${stdout}\n${stderr}`);
    }
  },
  remove: () => rmSync(folder, { recursive: true, force: true }),
});

/** The environment without the variables that npm and Vitest have set. */
export const environment = (): NodeJS.ProcessEnv => {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_ENV$|NODE_OPTIONS$|FORCE_COLOR$)/i.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: "1" };
};
