/** The cases on another host: bundled with the package into one file, which Node, Deno, Bun and a page in a browser all run. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Plugin, rolldown } from "rolldown";
import { type BrowserName, BROWSERS, findBrowser, launch } from "../hosts/browser.js";
import { areHostsRequired, type HostName as InstalledHost, obtain } from "../hosts/hosts.js";
import { ISOLATION, serve } from "../hosts/serve.js";
import { visit } from "../hosts/visit.js";
import { caseFiles } from "./discover.js";
import type { Answer } from "./host.js";

export const HOST_NAMES = ["Node 20", "Node 22", "Node 24", "Node 26", "Deno", "Bun", ...BROWSERS] as const;
export type HostName = (typeof HOST_NAMES)[number];

/** An available host, or why it is not available. */
export type BitsHost =
  | { readonly name: HostName; readonly version: string; readonly executable: string; readonly reason?: undefined }
  | { readonly name: HostName; readonly reason: string };

/** Several times what a busy machine needs. */
const TIMEOUT = 180_000;
const FILE = "bits.mjs";

const browserOf = (name: HostName): BrowserName | undefined => BROWSERS.find((browser) => browser === name);

export async function find(name: HostName): Promise<BitsHost> {
  const browser = browserOf(name);
  if (browser === undefined) return { ...(await obtain(name as InstalledHost)), name };
  const found = findBrowser(browser);
  if (found.reason !== undefined) return { name, reason: found.reason };
  try {
    const launched = await launch(browser);
    await launched.close();
    return { name, version: launched.version, executable: found.executable };
  } catch (error) {
    if (areHostsRequired) throw error;
    return { name, reason: (error as Error).message.split("\n")[0]! };
  }
}

/** The module `#cases`: the cases of every `test/*.bits.ts`. */
const foundCases: Plugin = {
  name: "cases",
  resolveId: (id) => (id === "#cases" ? id : undefined),
  load(id) {
    if (id !== "#cases") return undefined;
    const files = caseFiles(resolve("test"));
    const imports = files.map((file, index) => `import cases${index} from ${JSON.stringify(file)};`);
    return `${imports.join("\n")}\nexport const CASES = [${files.map((_, index) => `...cases${index}`).join()}];`;
  },
};

/**
 * Writes the bundle, and the page that runs it.
 *
 * @param entry  the package's main file
 */
export async function bundle(entry: string, folder: string): Promise<void> {
  const bundled = await rolldown({
    input: resolve("test/bits/host.ts"),
    platform: "neutral",
    resolve: { alias: { headwise: entry }, mainFields: ["module", "main"] },
    plugins: [foundCases],
  });
  await bundled.write({ file: join(folder, FILE), format: "esm", codeSplitting: false });
  await bundled.close();
  writeFileSync(join(folder, "index.html"), `<!doctype html><title>bits</title><script type="module" src="${FILE}"></script>\n`);
}

/** Runs what `bundle` wrote on a host; returns its answer. */
export async function ask(host: BitsHost & { readonly executable: string }, folder: string): Promise<Answer> {
  const browser = browserOf(host.name);
  if (browser !== undefined) return askBrowser(browser, folder);
  return askProcess(host.executable, host.name === "Deno" ? ["run", "--no-config", "--no-lock", "--quiet"] : [], folder);
}

/** The same for an executable that takes a file after some arguments. */
export async function askProcess(executable: string, args: readonly string[], folder: string): Promise<Answer> {
  const options = { cwd: folder, timeout: TIMEOUT, maxBuffer: 2 ** 26 };
  try {
    const { stdout } = await promisify(execFile)(executable, [...args, FILE], options);
    return JSON.parse(stdout) as Answer;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { engine: "unknown", problem: stderr?.trim() || message };
  }
}

async function askBrowser(name: BrowserName, folder: string): Promise<Answer> {
  const site = await serve(folder, () => ISOLATION);
  const browser = await launch(name);
  try {
    const { result, log } = await visit(browser, `${site.origin}/`, TIMEOUT);
    return (result as Answer | undefined) ?? { engine: "unknown", problem: log.join("\n") || "the page left no result" };
  } finally {
    await browser.close();
    await site.close();
  }
}
