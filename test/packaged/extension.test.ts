/** The packed package in an extension of Chromium, Manifest V3: in its service worker, in a page, and in workers of the page. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { findBrowser } from "../hosts/browser.js";
import { type Consumer, install } from "../hosts/install.js";
import { launchExtension } from "../hosts/puppeteer.js";
import { resultOf } from "../hosts/visit.js";

const NUMBERS = "1.000 0.000 0.330 0.670 0.752 0.752";

const found = findBrowser("Chromium");

describe.skipIf(found.reason !== undefined)(found.reason === undefined ? "Chromium" : `not run, ${found.reason}`, () => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await install(inject("tarball"), "extension");
    return () => consumer.remove();
  });

  /** What the page of the extension finds. */
  async function resultIn({ folder }: Consumer): Promise<unknown> {
    const { executable } = found as { executable: string };
    const extension = await launchExtension(executable, folder);
    onTestFinished(() => extension.close());
    await extension.page.goto(`${extension.origin}/page.html`);
    return resultOf(extension.page, 60_000);
  }

  test("the service worker has headwise/standalone-sync; a page has threads and an engine in a worker, too", async () => {
    expect(await resultIn(consumer)).toEqual({
      background: NUMBERS,
      page: { numbers: NUMBERS, threads: 1 },
      threads: { numbers: NUMBERS, threads: 2 },
      worker: { numbers: NUMBERS, threads: 1 },
    });
  });

  test("without 'wasm-unsafe-eval' in the manifest the errors name the directive", async () => {
    const path = join(consumer.folder, "manifest.json");
    const text = readFileSync(path, "utf8");
    onTestFinished(() => writeFileSync(path, text));
    writeFileSync(path, text.replace(" 'wasm-unsafe-eval'", ""));
    const { background, page } = (await resultIn(consumer)) as { background: string; page: { error: string } };
    const NAMED = /the page's Content-Security-Policy must allow 'wasm-unsafe-eval' in script-src/;
    expect(background).toMatch(NAMED);
    expect(page.error).toMatch(NAMED);
  });
});
