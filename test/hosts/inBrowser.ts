/** Tests in browsers; a browser that is missing is named, and its tests are skipped. */
import { afterAll, beforeAll, describe } from "vitest";
import { type Browser, type BrowserName, findBrowser, launch } from "./browser.js";

/** For tests whose workers start workers: in Firefox 153 a worker may hang in `new Worker` after one that it had started has ended. */
export const nested = (name: BrowserName): { retry: number } => ({ retry: name === "Firefox" ? 3 : 0 });

/** A description whose tests share one browser, which is running when they do. */
export function inBrowser(name: BrowserName, title: string, tests: (browser: () => Browser) => void): void {
  const { reason } = findBrowser(name);
  describe.skipIf(reason !== undefined)(reason === undefined ? `${name}: ${title}` : `not run, ${reason}: ${title}`, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launch(name);
    });
    afterAll(() => browser.close());
    tests(() => browser);
  });
}
