/** Chromium, if there is one: CHROMIUM names its executable; by default it is searched for in the usual places. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { areHostsRequired } from "./hosts.js";

const { CHROMIUM } = process.env;
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const NONE = "there is no Chromium; CHROMIUM can name its executable";

/**
 * The executable, or undefined if there is none.
 * @throws {Error} there is none, and it is required
 */
export function chromiumPath(): string | undefined {
  const path = (CHROMIUM ? [CHROMIUM] : PLACES).find(existsSync);
  if (path === undefined && areHostsRequired) throw new Error(NONE);
  return path;
}

/** For containers, and to prevent network requests by the browser itself. */
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
export async function launchChromium(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(NONE);
  return chromium.launch({ executablePath, headless: true, args: CHROMIUM_ARGS });
}

export interface Visit {
  /** The value that the page left at `globalThis.result`, which JSON can represent; undefined if it did not arrive in time. */
  readonly result: unknown;
  /** Warnings, errors, and failed requests. */
  readonly log: readonly string[];
  /** Addresses and texts of the JavaScript that the page has downloaded, without that of workers. */
  readonly scripts: ReadonlyMap<string, string>;
}

/** Polls for `globalThis.result` of the page: a policy without eval forbids a function that waits there. */
export async function resultOf(page: Page, timeout = 30_000): Promise<unknown> {
  for (const end = Date.now() + timeout; Date.now() < end;) {
    const result: unknown = await page.evaluate("globalThis.result").catch(() => undefined); // there is none during a navigation
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return undefined;
}

/** Opens a page in its own context and waits for its result. */
export async function visit(browser: Browser, url: string, timeout = 30_000): Promise<Visit> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const log: string[] = [];
  const scripts = new Map<string, string>();
  const texts: Promise<unknown>[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") log.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => log.push(`error: ${error.message}`));
  page.on("response", (response) => {
    const type = response.headers()["content-type"] ?? "";
    if (response.status() >= 400) log.push(`${response.status()} ${response.url()}`);
    else if (type.includes("javascript")) {
      const kept = response.text().then((text) => scripts.set(response.url(), text));
      texts.push(kept.catch(() => undefined)); // those of workers cannot be read
    }
  });
  try {
    await page.goto(url);
    const result = await resultOf(page, timeout);
    await Promise.all(texts);
    if (result === undefined) log.push(`no result within ${timeout} ms`);
    return { result, log, scripts };
  } catch (error) {
    return { result: undefined, log: [...log, (error as Error).message.split("\n")[0]!], scripts };
  } finally {
    await context.close();
  }
}
