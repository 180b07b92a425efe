/** Engines in a worker with the packed package: pages that keep their frame rate, policies, Node, Deno and Bun. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type Browser, BROWSERS } from "../hosts/browser.js";
import { type HostName, obtain } from "../hosts/hosts.js";
import { inBrowser, nested } from "../hosts/inBrowser.js";
import { ISOLATION, serve } from "../hosts/serve.js";
import { visit } from "../hosts/visit.js";

const run = promisify(execFile);

const folder = mkdtempSync(join(tmpdir(), "headwise-worker-engine-"));
beforeAll(async () => {
  cpSync(fileURLToPath(new URL("../consumers/worker-engine", import.meta.url)), folder, { recursive: true });
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", ["install", ...flags, inject("tarball")], { cwd: folder, shell: process.platform === "win32" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Check {
  readonly error?: string;
  readonly build: string;
  readonly threads: number;
  readonly threadsReason?: string;
  readonly largestError: number;
  /** Of the page or frame. */
  readonly origin?: string;
}

/** Results that do not depend on the host. */
function expectRight(result: unknown): Check {
  const check = result as Check;
  expect(check.error).toBeUndefined();
  expect(check).toMatchObject({
    aborted: "enough",
    message: 'RangeError: matmul: "b" has depth 3, expected 64 (a has dims [1, 200, 4, 64])',
    normed: "0.85,1.13",
    after: "Error: planAttention: the engine has been disposed of",
  });
  expect(check.largestError).toBeLessThan(1e-5);
  return check;
}

describe.each<HostName>(["Node 20", "Node 22", "Node 24", "Node 26", "Deno", "Bun"])("%s", async (name) => {
  const host = await obtain(name);
  if (host.reason !== undefined) {
    test.skip(`not run: ${host.reason}`, () => undefined);
    return;
  }
  const printed = async (file: string): Promise<string> => {
    const args = name === "Deno" ? ["run", file] : [file];
    return (await run(host.executable, args, { cwd: folder, timeout: 60_000 })).stdout;
  };

  test("an engine in a worker matches the reference, on 2 threads", async () => {
    expect(expectRight(JSON.parse(await printed("main.mjs")))).toMatchObject({ threads: 2 });
  });

  if (name === "Deno") {
    test.skip("not run: an idle engine does not keep the process alive; in Deno, workers do until they are ended", () => undefined);
    return;
  }
  test("an idle engine does not keep the process alive", async () => {
    expect(await printed("idle.mjs")).toBe("1\n");
  });
});

/** Runs a page whose server sends these headers with everything. */
async function resultOf(browser: Browser, page: string, headers: Record<string, string> = {}): Promise<unknown> {
  const site = await serve(folder, () => headers);
  onTestFinished(() => site.close());
  const { result, log } = await visit(browser, `${site.origin}/${page}`, 120_000);
  expect(result, log.join("\n")).toBeDefined();
  return result;
}

const POLICY = "default-src 'none'; connect-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'";
const STRICT = { "Content-Security-Policy": POLICY, ...ISOLATION };
const REFUSED =
  "the host refused its script; a Content-Security-Policy must allow worker-src blob:, or else createWorker can use a file";

for (const name of BROWSERS) {
  inBrowser(name, "a page without a bundler", (browser) => {
    test("an engine in a worker matches the reference", async () => {
      const build = name === "WebKitGTK" ? "simd" : "relaxed";
      expect(expectRight(await resultOf(browser(), "index.html"))).toMatchObject({ build, threads: 1 });
    });

    test("with isolation it has its own threads, without isolation one thread and the reason", nested(name), async () => {
      expect(expectRight(await resultOf(browser(), "index.html?threads=2", ISOLATION))).toMatchObject({ threads: 2 });
      expect(expectRight(await resultOf(browser(), "index.html?threads=2"))).toMatchObject({
        threads: 1,
        threadsReason: "the page is not cross-origin isolated",
      });
    });

    test("under a policy without worker-src blob: the error says what to do", async () => {
      const { error } = (await resultOf(browser(), "index.html", STRICT)) as Check;
      const why = name === "WebKitGTK" ? " (The operation is insecure.)" : "";
      expect(error).toBe(`Error: createWorkerEngine: the engine's worker did not start: ${REFUSED}${why}`);
    });

    test.each(["module", "classic"])("with headwise/engine-worker as a %s worker it works, on one thread", async (type) => {
      const check = expectRight(await resultOf(browser(), `index.html?threads=2&file=${type}`, STRICT));
      expect(check.threads).toBe(1);
      expect(check.threadsReason).toMatch(/^1 of 1 workers did not start: the host refused its script/);
    });

    test("in a sandboxed frame, whose origin is opaque, it starts from a blob as a classic worker, on one thread", async () => {
      const check = expectRight(await resultOf(browser(), "sandbox.html?threads=2", { "Access-Control-Allow-Origin": "*" }));
      expect(check).toMatchObject({ origin: "null", threads: 1, threadsReason: "the page is not cross-origin isolated" });
    });
  });
}

inBrowser("Chromium", "frames", (browser) => {
  interface Frames {
    readonly job: number;
    readonly frames: number;
    readonly median: number;
    /** The 95th percentile. */
    readonly late: number;
    readonly longest: number;
  }

  test("keeps its frame rate during a job of 2 seconds in a worker; on the page, the job blocks it", { retry: 2 }, async () => {
    const { inWorker, onPage } = (await resultOf(browser(), "frames.html")) as Record<"inWorker" | "onPage", Frames>;
    const show = ({ job, frames, median, late, longest }: Frames): string =>
      `job ${job.toFixed(0)} ms, ${frames} frames, ${median.toFixed(1)} ms between them, ` +
      `seldom more than ${late.toFixed(1)}, at most ${longest.toFixed(1)}`;
    console.log(`frames during a job in a worker: ${show(inWorker)}\nframes during a job on the page: ${show(onPage)}`);
    expect(inWorker.job).toBeGreaterThan(1800);
    expect(onPage.longest).toBeGreaterThan(0.9 * onPage.job);
    expect(inWorker.longest).toBeLessThan(onPage.longest / 5);
    expect(inWorker.median).toBeLessThan(20);
    expect(inWorker.late, "two frames").toBeLessThan(34);
  });
});
