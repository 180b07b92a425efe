/** The packed package in hosts that forbid `import()`: service workers of both types, and an AudioWorklet, in Chromium. */
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { chromiumPath, launchChromium, visit } from "../hosts/chromium.js";
import { type Consumer, install } from "../hosts/install.js";
import { serve } from "../hosts/serve.js";

const NUMBERS = "1.000 0.000 0.330 0.670 0.752 0.752";
const hasChromium = chromiumPath() !== undefined;
const inChromium = hasChromium ? describe : describe.skip;

inChromium(`${hasChromium ? "" : "not run, no Chromium here: "}hosts without import()`, () => {
  let browser: Browser;
  let consumer: Consumer;
  let site: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    browser = await launchChromium();
    consumer = await install(inject("tarball"), "no-import");
    const bundle = await rolldown({ input: join(consumer.folder, "sync.mjs"), platform: "browser", cwd: consumer.folder });
    await bundle.write({ file: join(consumer.folder, "classic.js"), format: "iife", codeSplitting: false });
    await bundle.close();
    site = await serve(consumer.folder, () => ({}));
  });
  afterAll(async () => {
    await site.close();
    consumer.remove();
    await browser.close();
  });
  const resultIn = async (host: string): Promise<unknown> =>
    (await visit(browser, `${site.origin}/index.html?host=${host}`)).result;

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

  test("an AudioWorklet, which has no TextDecoder", async () => {
    expect(await resultIn("worklet")).toEqual({ numbers: NUMBERS, decoder: "undefined" });
  });
});
