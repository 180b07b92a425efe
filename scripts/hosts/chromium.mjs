// Chromium, where there is one: CHROMIUM names its executable, else it is looked for where systems install it.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The executable, or undefined where there is none. */
export const chromiumPath = () => PLACES.find((place) => place && existsSync(place));

/** For containers, and so that it calls nobody. */
export const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser without a window and with an empty profile; `close` ends it. */
export const launchChromium = () => chromium.launch({ executablePath: chromiumPath(), headless: true, args: CHROMIUM_ARGS });

/**
 * Opens a page and waits for what it leaves at `globalThis.result`, a value that JSON can hold.
 *
 * @param browser   what launchChromium gave
 * @returns {Promise<{ result: unknown, log: string[] }>} the log has errors, and requests that failed
 */
export async function visit(browser, url, timeout = 30_000) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const log = [];
  page.on(
    "console",
    (message) => ["error", "warning"].includes(message.type()) && log.push(`${message.type()}: ${message.text()}`),
  );
  page.on("pageerror", (error) => log.push(`error: ${error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) log.push(`${response.status()} ${response.url()}`);
  });
  try {
    await page.goto(url);
    await page.waitForFunction(() => globalThis.result !== undefined, undefined, { timeout });
    return { result: await page.evaluate(() => globalThis.result), log };
  } catch (error) {
    return { result: undefined, log: [...log, error.message.split("\n")[0]] };
  } finally {
    await context.close();
  }
}
