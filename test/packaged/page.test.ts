/** The example page in Chromium: served with the headers that isolate it, and as files by a host that sends none. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { scaledDotProductAttention as reference } from "../../src/reference/index.js";
import { chromiumPath, launchChromium } from "../hosts/chromium.js";
import { installExamples } from "../hosts/examples.js";
import type { Consumer } from "../hosts/install.js";
import { serve } from "../hosts/serve.js";
import type { TestTensor } from "../support/random.js";

const canRun = chromiumPath() !== undefined;
const notRun = canRun ? "" : ": not run, no Chromium here";

let consumer: Consumer;
let browser: Browser | undefined;
beforeAll(async () => {
  if (!canRun) return;
  consumer = await installExamples(inject("tarball"));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  if (canRun) consumer.remove();
});

/** Opens the page in its own context and collects its complaints. */
async function open(url: string): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser!.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}

const ready = (page: Page) => page.waitForSelector("body[data-state=ready]", { timeout: 120_000 });
const isIsolated = (page: Page) => page.evaluate("crossOriginIsolated");

interface Settings {
  causal: boolean;
  window: number;
  scale: number;
}

/** The page's results for a text, computed by the page's own code. */
const weightsIn = (page: Page, text: string, settings: Settings): Promise<number[]> =>
  page.evaluate(
    `(async () => {
      const { attend, wordsOf } = await import("./attention.mjs");
      const { createEngine } = await import("headwise");
      const engine = await createEngine({ threads: 2 });
      return [...attend(engine, wordsOf(${JSON.stringify(text)}), ${JSON.stringify(settings)}).weights];
    })()`,
  );

describe.runIf(canRun)(`in Chromium${notRun}`, () => {
  /** Serves the example as in its README. */
  async function serveExample(): Promise<string> {
    const child = spawn(process.execPath, ["examples/page/main.mjs", "--port", "0"], { cwd: consumer.folder });
    onTestFinished(() => void child.kill());
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    return /open (http:\S+)/.exec(line.toString())![1]!;
  }

  test("from its server the page is isolated, has 2 threads or more, and draws", async () => {
    const { page, complaints } = await open(await serveExample());
    await ready(page);
    expect(await isIsolated(page)).toBe(true);
    const shown = await page.textContent("#engine");
    expect(Number(/build (?:relaxed|simd), (\d+) threads$/.exec(shown!)?.[1])).toBeGreaterThanOrEqual(2);
    expect(await page.textContent("#call")).toMatch(/^21 words, 4 heads: \d+ µs$/);
    expect(await page.locator(".bar").allTextContents()).toEqual([
      expect.stringMatching(/^1 thread[\d.]+ ms$/),
      expect.stringMatching(/^\d+ threads[\d.]+ ms$/),
    ]);
    expect(await page.evaluate("heatmap.width")).toBe(21);
    expect(complaints).toEqual([]);
  });

  test("the weights match the reference within 1e-6, for all settings", async () => {
    const { page } = await open(await serveExample());
    await ready(page);
    const module = pathToFileURL(join(consumer.folder, "examples/page/site/attention.mjs")).href;
    const { tensorsOf, wordsOf } = (await import(/* @vite-ignore */ module)) as {
      tensorsOf: (words: string[]) => { q: TestTensor; k: TestTensor };
      wordsOf: (text: string) => string[];
    };
    const text = "One fish, two fish: redfish and bluefish.";
    const words = wordsOf(text);
    expect(words).toEqual(["One", "fish", ",", "two", "fish", ":", "redfish", "and", "bluefish", "."]);
    const { q, k } = tensorsOf(words);
    for (const settings of [
      { causal: true, window: 0, scale: 9 },
      { causal: true, window: 3, scale: 20 },
      { causal: false, window: 2, scale: 1 },
    ]) {
      const weights = { data: new Float64Array(4 * 10 * 10), dims: [1, 4, 10, 10] };
      const window = settings.causal ? settings.window - 1 : settings.window;
      reference(q, k, k, { causal: settings.causal, scale: settings.scale, weights, ...(settings.window > 0 && { window }) });
      const found = await weightsIn(page, text, settings);
      expect(Math.max(...found.map((weight, index) => Math.abs(weight - weights.data[index]!)))).toBeLessThanOrEqual(1e-6);
    }
  });

  test("settings on the left change the picture on the right", async () => {
    const { page, complaints } = await open(await serveExample());
    await ready(page);
    /** Whether the pixel at a row and a column was painted. */
    const isDrawn = (row: number, column: number) =>
      page.evaluate(`heatmap.getContext("2d").getImageData(${column}, ${row}, 1, 1).data[3] === 255`);
    expect([await isDrawn(9, 1), await isDrawn(1, 9)]).toEqual([true, false]);
    await page.uncheck("#causal");
    expect([await isDrawn(9, 1), await isDrawn(1, 9)]).toEqual([true, true]);
    await page.fill("#window", "4");
    expect([await isDrawn(9, 1), await isDrawn(9, 5), await isDrawn(5, 9)]).toEqual([false, true, true]);
    expect(await page.textContent("#window-value")).toBe("4 words");
    await page.click("#heads button:nth-child(3)");
    expect(await page.getAttribute("#heads button:nth-child(3)", "aria-checked")).toBe("true");
    await page.fill("#text", "to be or not to be");
    expect(await page.evaluate("heatmap.width")).toBe(6);
    expect(await page.locator("#rows span").allTextContents()).toEqual(["to", "be", "or", "not", "to", "be"]);
    await page.hover("#heatmap", { position: { x: 2, y: 2 } });
    expect(await page.textContent("#rows .chosen")).toBe("to");
    await page.fill("#text", "");
    expect(await page.textContent("#call")).toMatch(/^0 words/);
    expect(complaints).toEqual([]);
  });

  describe("as files, from a host that sends no headers", () => {
    async function serveFiles(): Promise<string> {
      const folder = join(consumer.folder, "written");
      const { stdout } = await consumer.run(process.execPath, "examples/page/main.mjs", "--write", folder);
      expect(stdout).toContain("any web server can serve it");
      const site = await serve(folder);
      onTestFinished(() => site.close());
      return site.origin;
    }

    test("the service worker isolates the page with one reload: 2 threads or more", async () => {
      const origin = await serveFiles();
      const context = await browser!.newContext();
      onTestFinished(() => context.close());
      const page = await context.newPage();
      let loads = 0;
      page.on("framenavigated", () => loads++);
      await page.goto(origin);
      await page.waitForFunction("crossOriginIsolated && document.body?.dataset.state === 'ready'", undefined, {
        timeout: 120_000,
      });
      expect(await page.textContent("#engine")).toMatch(/^build (relaxed|simd), ([2-9]|\d\d) threads$/);
      expect(loads).toBe(2);
      await page.reload();
      await ready(page);
      expect([await isIsolated(page), loads], "and stays so").toEqual([true, 3]);
    });

    test("without service workers: one thread and the reason, and no endless reload", async () => {
      const origin = await serveFiles();
      const context = await browser!.newContext({ serviceWorkers: "block" });
      onTestFinished(() => context.close());
      const page = await context.newPage();
      await page.goto(origin);
      await ready(page);
      expect(await isIsolated(page)).toBe(false);
      expect(await page.textContent("#engine")).toMatch(/^build (relaxed|simd), 1 thread: the page is not cross-origin isolated$/);
    });
  });
});
