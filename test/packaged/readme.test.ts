/** The code in the README and docs/hosts.md, copied file by file and run with the packed package alone. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { BUDGETS } from "../../bench/pageSize.js";
import { type Browser, BROWSERS } from "../hosts/browser.js";
import { HOSTS, obtain } from "../hosts/hosts.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { type Consumer, consumerIn, install } from "../hosts/install.js";
import { ISOLATION, serve } from "../hosts/serve.js";
import { type Visit, visit } from "../hosts/visit.js";

/** Files by the name in their first line: `// attention.mjs`, `<!-- index.html -->`. */
const files = new Map<string, string>();
for (const page of ["README.md", "docs/hosts.md"]) {
  for (const [, code] of readFileSync(page, "utf8").matchAll(/^```(?:js|html)\n(.*?)^```$/gms)) {
    files.set(/^(?:\/\/|<!--) (\S+)/.exec(code!)![1]!, code!);
  }
}
/** The output that the example in Node states; the pages show the same. */
const NUMBERS = / \/\/ ([\d. ]+)$/m.exec(files.get("attention.mjs")!)![1]!;

/** A folder with these files, with the package and Vite installed as the documents say. */
async function copied(...names: readonly string[]): Promise<Consumer> {
  const consumer = await install(inject("tarball"), "readme");
  for (const name of names) writeFileSync(join(consumer.folder, name), files.get(name)!);
  return consumer;
}

const hosts = await Promise.all(HOSTS.filter((name) => name !== "workerd").map(obtain));

describe("the README's file for Node", () => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await copied("attention.mjs");
  });
  afterAll(() => consumer.remove());

  for (const host of hosts) {
    if (host.reason !== undefined) {
      test.skip(`not run: in ${host.name}, which is not available here (${host.reason})`);
      continue;
    }
    test(`prints its numbers in ${host.name}`, async () => {
      const flags = host.name === "Deno" ? ["run", "--no-prompt"] : [];
      const { stdout } = await consumer.run(host.executable, ...flags, "attention.mjs");
      expect(stdout.trim()).toBe(NUMBERS);
    });
  }
});

test("its commands work in an empty folder inside another project", async () => {
  const parent = mkdtempSync(join(tmpdir(), "headwise-readme-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  writeFileSync(join(parent, "package.json"), '{ "private": true }\n');
  const folder = join(parent, "fresh");
  mkdirSync(folder);
  const tarball = /^npm install \.\/(.*)$/m.exec(readFileSync("README.md", "utf8"))![1]!;
  copyFileSync(inject("tarball"), join(folder, tarball));
  writeFileSync(join(folder, "attention.mjs"), files.get("attention.mjs")!);
  const commands = /^```sh\n(.*?)^```$/ms.exec(readFileSync("README.md", "utf8"))![1]!.trim().split("\n");
  const fresh = consumerIn(folder);
  let printed = "";
  for (const [command, ...args] of commands.map((line) => line.split(" ")))
    ({ stdout: printed } = await fresh.run(command!, ...args));
  expect(printed.trim()).toBe(NUMBERS);
});

/** Removed after the test. */
async function opened(...names: readonly string[]): Promise<Consumer> {
  const consumer = await copied(...names);
  onTestFinished(() => consumer.remove());
  return consumer;
}

/** Opens a page, which must complain of nothing; the result is what it shows. */
async function show(browser: Browser, folder: string, page = "", headers: Record<string, string> = {}): Promise<Visit> {
  const site = await serve(folder, () => headers);
  onTestFinished(() => site.close());
  const text = 'document.querySelector("#out")?.textContent || undefined';
  const seen = await visit(browser, `${site.origin}/${page}`, 20_000, text);
  expect(seen.log).toEqual([]);
  return seen;
}

for (const name of BROWSERS) {
  inBrowser(name, "the page of docs/hosts.md without a bundler", (browser) => {
    test(`it downloads no more than ${BUDGETS.headwise / 1000} kB with gzip`, async () => {
      const { folder } = await opened("page.html");
      const { result, scripts } = await show(browser(), folder, "page.html");
      expect(result).toBe(NUMBERS);
      const sizes = [...scripts.values()].map((script) => gzipSync(script, { level: 9 }).byteLength);
      expect(sizes.length).toBeGreaterThan(1);
      expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(BUDGETS.headwise);
    });
  });
}

inBrowser("Chromium", "the pages of docs/hosts.md", (browser) => {
  const shown = async (...page: [folder: string, page?: string, headers?: Record<string, string>]): Promise<unknown> =>
    (await show(browser(), ...page)).result;

  test("built by Vite", async () => {
    const site = await opened("index.html", "main.js", "vite.config.js");
    await site.run("npx", "vite", "build");
    expect(await shown(join(site.folder, "dist"))).toBe(NUMBERS);
  });

  test("threads from a file, built by Vite, under the policy without worker-src blob:", async () => {
    const site = await opened("index.html", "threads.js", "attentionWorker.js");
    const html = readFileSync(join(site.folder, "index.html"), "utf8");
    writeFileSync(join(site.folder, "index.html"), html.replace("main.js", "threads.js"));
    await site.run("npx", "vite", "build");
    const policy = { "Content-Security-Policy": "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'" };
    expect(await shown(join(site.folder, "dist"), "", { ...policy, ...ISOLATION })).toBe("2");
  });

  test("Vite's headers isolate its own servers", async () => {
    const { folder } = await opened("vite.config.js");
    const config = (await import(/* @vite-ignore */ join(folder, "vite.config.js"))) as {
      default: Record<"server" | "preview", { headers: object }>;
    };
    expect(config.default).toEqual({ server: { headers: ISOLATION }, preview: { headers: ISOLATION } });
  });
});
