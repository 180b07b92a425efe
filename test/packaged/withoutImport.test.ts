/** The packed package in hosts that forbid `import()`: service workers of both types, and an AudioWorklet. */
import { join } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { BROWSERS } from "../hosts/browser.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { type Consumer, install } from "../hosts/install.js";
import { serve, type Site } from "../hosts/serve.js";
import { visit } from "../hosts/visit.js";

const NUMBERS = "1.000 0.000 0.330 0.670 0.752 0.752";

let consumer: Consumer;
let site: Site;
beforeAll(async () => {
  consumer = await install(inject("tarball"), "no-import");
  const bundle = await rolldown({ input: join(consumer.folder, "sync.mjs"), platform: "browser", cwd: consumer.folder });
  await bundle.write({ file: join(consumer.folder, "classic.js"), format: "iife", codeSplitting: false });
  await bundle.close();
  site = await serve(consumer.folder);
});
afterAll(async () => {
  await site.close();
  consumer.remove();
});

for (const name of BROWSERS) {
  inBrowser(name, "hosts without import()", (browser) => {
    const resultIn = async (host: string): Promise<unknown> =>
      (await visit(browser(), `${site.origin}/index.html?host=${host}`)).result;

    test("a service worker of type module, without a bundler; createEngine names the entry that works", async () => {
      const result = (await resultIn("module")) as { numbers: string; refusal: string };
      expect(result.numbers).toBe(NUMBERS);
      expect(result.refusal).toMatch(
        /^Error: createEngine: the kernels could not be imported \(.+\); where import\(\) is forbidden, as in service workers and worklets, use createEngineSync of headwise\/sync, or of headwise\/standalone-sync without a bundler$/,
      );
    });

    test("a classic service worker, with a bundle", async () => {
      expect(await resultIn("classic")).toEqual({ numbers: NUMBERS, operations: "function", engine: "function" });
    });

    const decoder = name === "WebKitGTK" ? "function" : "undefined";
    test(`an AudioWorklet${decoder === "undefined" ? ", which has no TextDecoder" : ""}`, async () => {
      expect(await resultIn("worklet")).toEqual({ numbers: NUMBERS, decoder });
    });
  });
}
