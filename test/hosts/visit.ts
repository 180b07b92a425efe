/** Opens a page and waits for its result, which most pages leave at `globalThis.result`. */
import type { Browser, Page } from "./browser.js";

const RESULT = "globalThis.result";

export interface Visit {
  /** What the page left, which JSON can represent; undefined if it did not arrive in time. */
  readonly result: unknown;
  /** Warnings, errors, and failed requests. */
  readonly log: readonly string[];
  /** Addresses and texts of the JavaScript that the page has downloaded, without that of workers. */
  readonly scripts: ReadonlyMap<string, string>;
}

/** Polls for an expression that has a value: a policy without eval forbids a function that waits in the page. */
export async function resultOf(page: Page, timeout = 30_000, expression = RESULT): Promise<unknown> {
  for (const end = Date.now() + timeout; Date.now() < end;) {
    const result: unknown = await page.evaluate(expression).catch(() => undefined); // there is none during a navigation
    if (result !== undefined && result !== null) return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return undefined;
}

export async function visit(browser: Browser, url: string, timeout = 30_000, expression = RESULT): Promise<Visit> {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    const result = await resultOf(page, timeout, expression);
    const scripts = await scriptsOf(page);
    return { result, log: [...page.log, ...(result === undefined ? [`no result within ${timeout} ms`] : [])], scripts };
  } catch (error) {
    return { result: undefined, log: [...page.log, (error as Error).message.split("\n")[0]!], scripts: new Map() };
  } finally {
    await page.close();
  }
}

/** Asks the server once more for what the page has loaded: not every browser tells what it was answered. */
async function scriptsOf(page: Page): Promise<Map<string, string>> {
  const loaded = (await page.evaluate('performance.getEntriesByType("resource").map(({ name }) => name)')) as string[];
  const scripts = new Map<string, string>();
  for (const url of new Set(loaded.filter((name) => name.startsWith("http")))) {
    const response = await fetch(url);
    if (response.headers.get("Content-Type")?.includes("javascript")) scripts.set(url, await response.text());
  }
  return scripts;
}
