/** The example page: served with the headers that isolate it, and as files by a host that sends none. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { scaledDotProductAttention as reference } from "../../src/reference/index.js";
import { type Browser, BROWSERS, type Page } from "../hosts/browser.js";
import { installExamples } from "../hosts/examples.js";
import { inBrowser } from "../hosts/inBrowser.js";
import type { Consumer } from "../hosts/install.js";
import { serve } from "../hosts/serve.js";
import { resultOf } from "../hosts/visit.js";
import type { TestTensor } from "../support/random.js";

let consumer: Consumer;
beforeAll(async () => {
  consumer = await installExamples(inject("tarball"));
});
afterAll(() => consumer.remove());

/** Opens the page; it is closed after the test. */
async function open(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(url);
  return page;
}

const ready = async (page: Page): Promise<void> => {
  expect(await resultOf(page, 120_000, "document.body?.dataset.state === 'ready' || undefined")).toBe(true);
};
const isIsolated = (page: Page) => page.evaluate("crossOriginIsolated");
const textOf = (page: Page, selector: string) => page.evaluate(`document.querySelector("${selector}").textContent`);
const textsOf = (page: Page, selector: string) =>
  page.evaluate(`[...document.querySelectorAll("${selector}")].map(({ textContent }) => textContent)`);
const click = (page: Page, selector: string) => page.evaluate(`document.querySelector("${selector}").click()`);
const fill = (page: Page, selector: string, value: string) =>
  page.evaluate(`(() => {
    const input = document.querySelector("${selector}");
    input.value = "${value}";
    input.dispatchEvent(new Event("input", { bubbles: true }));
  })()`);

interface Settings {
  causal: boolean;
  window: number;
  scale: number;
}

/** The page's results for a text, computed by the page's own code. */
const weightsIn = (page: Page, text: string, settings: Settings) =>
  page.evaluate(
    `(async () => {
      const { attend, wordsOf } = await import("./attention.mjs");
      const { createEngine } = await import("headwise");
      const engine = await createEngine({ threads: 2 });
      return [...attend(engine, wordsOf(${JSON.stringify(text)}), ${JSON.stringify(settings)}).weights];
    })()`,
  ) as Promise<number[]>;

/** Serves the example as in its README. */
async function serveExample(): Promise<string> {
  const child = spawn(process.execPath, ["examples/page/main.mjs", "--port", "0"], { cwd: consumer.folder });
  onTestFinished(() => void child.kill());
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return /open (http:\S+)/.exec(line.toString())![1]!;
}

for (const name of BROWSERS)
  inBrowser(name, "the example page", (browser) => {
    test("from its server the page is isolated, has 2 threads or more, and draws", async () => {
      const page = await open(browser(), await serveExample());
      await ready(page);
      expect(await isIsolated(page)).toBe(true);
      expect(await textOf(page, "#engine")).toMatch(/build (relaxed|simd), ([2-9]|\d\d) threads$/);
      expect(await textOf(page, "#call")).toMatch(/^21 words, 4 heads: \d+ µs$/);
      expect(await textsOf(page, ".bar")).toEqual([
        expect.stringMatching(/^1 thread[\d.]+ ms$/),
        expect.stringMatching(/^\d+ threads[\d.]+ ms$/),
      ]);
      expect(await page.evaluate("heatmap.width")).toBe(21);
      expect(page.log).toEqual([]);
    });

    test("the weights match the reference within 1e-6, for all settings", async () => {
      const page = await open(browser(), await serveExample());
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
      const page = await open(browser(), await serveExample());
      await ready(page);
      /** Whether the pixel at a row and a column was painted. */
      const isDrawn = (row: number, column: number) =>
        // On a copy: browsers warn of a canvas that is read more than once.
        page.evaluate(`(() => {
          const pixel = document.createElement("canvas").getContext("2d");
          pixel.drawImage(heatmap, ${-column}, ${-row});
          return pixel.getImageData(0, 0, 1, 1).data[3] === 255;
        })()`);
      expect([await isDrawn(9, 1), await isDrawn(1, 9)]).toEqual([true, false]);
      await click(page, "#causal");
      expect([await isDrawn(9, 1), await isDrawn(1, 9)]).toEqual([true, true]);
      await fill(page, "#window", "4");
      expect([await isDrawn(9, 1), await isDrawn(9, 5), await isDrawn(5, 9)]).toEqual([false, true, true]);
      expect(await textOf(page, "#window-value")).toBe("4 words");
      await click(page, "#heads button:nth-child(3)");
      expect(await page.evaluate(`document.querySelector("#heads button:nth-child(3)").getAttribute("aria-checked")`)).toBe("true");
      await fill(page, "#text", "to be or not to be");
      expect(await page.evaluate("heatmap.width")).toBe(6);
      expect(await textsOf(page, "#rows span")).toEqual(["to", "be", "or", "not", "to", "be"]);
      await page.evaluate(`(() => {
      const { left, top } = heatmap.getBoundingClientRect();
      heatmap.dispatchEvent(new PointerEvent("pointermove", { clientX: left + 2, clientY: top + 2, bubbles: true }));
    })()`);
      expect(await textOf(page, "#rows .chosen")).toBe("to");
      await fill(page, "#text", "");
      expect(await textOf(page, "#call")).toMatch(/^0 words/);
      expect(page.log).toEqual([]);
    });

    describe("as files, from a host that sends no headers", () => {
      /** @param headersOf  of the answer for a path */
      async function serveFiles(headersOf: (path: string) => Record<string, string>): Promise<string> {
        const folder = join(consumer.folder, "written");
        const { stdout } = await consumer.run(process.execPath, "examples/page/main.mjs", "--write", folder);
        expect(stdout).toContain("any web server can serve it");
        const site = await serve(folder, headersOf);
        onTestFinished(() => site.close());
        return site.origin;
      }

      test("the service worker isolates the page with one reload: 2 threads or more", async () => {
        let loads = 0;
        const origin = await serveFiles((path) => {
          if (path === "/") loads++;
          return {};
        });
        const page = await open(browser(), origin);
        await resultOf(page, 120_000, "crossOriginIsolated && document.body?.dataset.state === 'ready' || undefined");
        expect(await textOf(page, "#engine")).toMatch(/^build (relaxed|simd), ([2-9]|\d\d) threads$/);
        expect(loads).toBe(2);
        await page.reload();
        await ready(page);
        expect([await isIsolated(page), loads], "and stays so").toEqual([true, 3]);
      });

      test("where its service worker is refused: one thread and the reason, and no endless reload", async () => {
        let loads = 0;
        const origin = await serveFiles((path): Record<string, string> => {
          if (path === "/") loads++;
          return path === "/isolate.js" ? { "Content-Type": "text/plain" } : {}; // which is no type for a service worker
        });
        const page = await open(browser(), origin);
        await ready(page);
        expect([await isIsolated(page), loads]).toEqual([false, 1]);
        expect(await textOf(page, "#engine")).toMatch(/^build (relaxed|simd), 1 thread: the page is not cross-origin isolated$/);
      });
    });
  });
