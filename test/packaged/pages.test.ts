/** The packed package in pages whose servers forbid something: compiling, workers from a blob, shared memory. */
import { createHash } from "node:crypto";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type Browser, BROWSERS } from "../hosts/browser.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { type Consumer, install } from "../hosts/install.js";
import { ISOLATION, serve } from "../hosts/serve.js";
import { resultOf, visit } from "../hosts/visit.js";
import { type CheckResult, expectRight, printReport } from "./check.js";

let bundled: Consumer;
let bare: Consumer;
beforeAll(async () => {
  bundled = await install(inject("tarball"), "check.mjs", "page", "esbuild");
  await bundled.run("npm", "run", "--silent", "build");
  cpSync(join(bundled.folder, "index.html"), join(bundled.folder, "dist/index.html"));
  bare = await install(inject("tarball"), "check.mjs", "page", "bare");
});
afterAll(() => {
  bundled.remove();
  bare.remove();
  printReport();
});

/** A site that is closed after the test. */
async function open(folder: string, headers: Record<string, string>): Promise<string> {
  const site = await serve(folder, () => headers);
  onTestFinished(() => site.close());
  return `${site.origin}/`;
}

type Seen = CheckResult & { log: readonly string[] };

/** Runs the bundled page under these headers. */
async function runUnder(browser: Browser, headers: Record<string, string>, query: string): Promise<Seen> {
  const url = await open(join(bundled.folder, "dist"), headers);
  const { result, log } = await visit(browser, url + query);
  return { ...(result as CheckResult), log };
}

const policy = (text: string): Record<string, string> => ({ "Content-Security-Policy": text });

for (const name of BROWSERS) {
  inBrowser(name, "a page", (browser) => {
    const under = (headers: Record<string, string>, query = ""): Promise<Seen> => runUnder(browser(), headers, query);

    describe("under a Content-Security-Policy", () => {
      const STRICT = "default-src 'none'; img-src data:; script-src 'self' 'wasm-unsafe-eval'";
      const NO_WASM = "default-src 'none'; script-src 'self'; worker-src 'self'";
      const NAMED = /^Error: createEngine: the page's Content-Security-Policy must allow 'wasm-unsafe-eval' in script-src \(.+\)$/s;

      test("script-src 'self' 'wasm-unsafe-eval' is sufficient, and nothing else is attempted", async () => {
        const result = await under(policy(STRICT));
        expectRight("a page under a strict policy", result);
        expect(result.log).toEqual([]);
      });

      test("without 'wasm-unsafe-eval' the error names the directive", async () => {
        expect((await under(policy(NO_WASM))).error).toMatch(NAMED);
        expect((await under(policy("default-src 'self'"), "?entry=attention")).error).toMatch(NAMED);
      });

      test("without 'wasm-unsafe-eval' in a worker the error names the directive", async () => {
        expect((await under(policy(NO_WASM), "?in=worker")).error).toMatch(NAMED);
      });

      test("worker-src blob: allows threads", async () => {
        const result = await under({ ...policy(`${STRICT}; worker-src blob:`), ...ISOLATION }, "?threads=2");
        expect(expectRight("a page under a policy with worker-src blob:", result).threads).toBe(2);
        expect(result.log).toEqual([]);
      });

      const why = name === "WebKitGTK" ? " (The operation is insecure.)" : "";
      const DENIED = `1 of 1 workers did not start: the host refused its script; a Content-Security-Policy must allow worker-src blob:, or else createWorker can use a file${why}`;

      test("without worker-src blob: one thread, and the reason", async () => {
        const result = await under({ ...policy(`${STRICT}; worker-src 'self'`), ...ISOLATION }, "?threads=2");
        expect(expectRight("a page without worker-src blob:", result)).toMatchObject({ threads: 1, threadsReason: DENIED });
      });

      test("without worker-src blob: threads by createWorker and headwise/worker", async () => {
        const result = await under({ ...policy(`${STRICT}; worker-src 'self'`), ...ISOLATION }, "?threads=2&pool=file");
        expect(expectRight("a page without worker-src blob:, createWorker", result).threads).toBe(2);
        expect(result.log).toEqual([]);
      });

      test("require-trusted-types-for 'script': one thread, and the reason", async () => {
        const result = await under({ ...policy(`${STRICT}; require-trusted-types-for 'script'`), ...ISOLATION }, "?threads=2");
        expect(expectRight("a page with trusted types", result).threads).toBe(1);
        expect(result.threadsReason).toMatch(name === "Firefox" ? /Sink type mismatch/ : /TrustedScriptURL/);
      });

      test("an import map in the page, allowed by its hash", async () => {
        const html = readFileSync(join(bare.folder, "index.html"), "utf8");
        const map = /<script type="importmap">(.*?)<\/script>/s.exec(html)![1]!;
        const hash = createHash("sha256").update(map).digest("base64");
        const url = await open(bare.folder, policy(`${STRICT} 'sha256-${hash}'`));
        const { result, log } = await visit(browser(), url);
        expectRight("a page without a bundler under a strict policy", result);
        expect(log).toEqual([]);
      });
    });

    describe("with cross-origin isolation", () => {
      const NOT_ISOLATED = { threads: 1, threadsReason: "the page is not cross-origin isolated" };

      const embedders = name === "WebKitGTK" ? ["require-corp"] : ["require-corp", "credentialless"];
      test(`by COOP same-origin and COEP ${embedders.join(" or ")}: two threads with the bits of one`, async () => {
        const one = expectRight("a page that is not isolated", await under({}, "?threads=2"));
        expect(one).toMatchObject(NOT_ISOLATED);
        for (const embedder of embedders) {
          const headers = { ...ISOLATION, "Cross-Origin-Embedder-Policy": embedder };
          const two = expectRight(`a page with COEP ${embedder}`, await under(headers, "?threads=2"));
          expect(two.threads, two.threadsReason).toBe(2);
          expect(two.bits).toBe(one.bits);
        }
      });

      test.runIf(name === "Chromium")(
        "by Document-Isolation-Policy (Chromium 137 or newer): two threads with the bits of one",
        async () => {
          const one = await under({});
          for (const value of ["isolate-and-credentialless", "isolate-and-require-corp"]) {
            const two = await under({ "Document-Isolation-Policy": value }, "?threads=2");
            expect(expectRight(`a page with Document-Isolation-Policy ${value}`, two).threads, two.threadsReason).toBe(2);
            expect(two.bits).toBe(one.bits);
          }
        },
      );

      test("with one of the two headers: one thread, and the reason", async () => {
        expect(await under({ "Cross-Origin-Opener-Policy": "same-origin" }, "?threads=2")).toMatchObject(NOT_ISOLATED);
        expect(await under({ "Cross-Origin-Embedder-Policy": "require-corp" }, "?threads=2")).toMatchObject(NOT_ISOLATED);
      });
    });

    describe("that is reloaded or left", () => {
      test("several engines at once, on two threads each; one outlives another", async () => {
        const url = await open(bare.folder, ISOLATION);
        const page = await browser().newPage();
        onTestFinished(() => page.close());
        await page.goto(url);
        await resultOf(page);
        const results = await page.evaluate(`(async () => {
      const { createEngine } = await import("headwise");
      const x = { data: new Float32Array(200 * 64).map((_, i) => Math.sin(i)), dims: [1, 200, 1, 64] };
      const attend = (engine) => engine.scaledDotProductAttention(x, x, x).data;
      const engines = await Promise.all([1, 2, 2].map((threads) => createEngine({ threads })));
      const threads = engines.map(({ info }) => info.threads);
      const [first, second, third] = engines.map(attend);
      engines[1].dispose();
      const again = attend(engines[2]);
      const same = (a, b) => a.every((value, i) => value === b[i]);
      return [same(first, second), same(first, third), same(first, again), threads];
    })()`);
        expect(results).toEqual([true, true, true, [1, 2, 2]]);
      });

      test("after a reload, and after leaving and coming back", async () => {
        const url = `${await open(join(bundled.folder, "dist"), ISOLATION)}?threads=2`;
        const page = await browser().newPage();
        onTestFinished(() => page.close());
        const expectTwo = async (when: string): Promise<void> => {
          expect(expectRight(`a page ${when}`, await resultOf(page)).threads).toBe(2);
        };
        await page.goto(url);
        await expectTwo("at first");
        await page.reload();
        await expectTwo("after a reload");
        await page.goto("about:blank");
        await page.goBack();
        await expectTwo("after coming back");
      });
    });
  });
}
