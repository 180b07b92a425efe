/** The page of `test/consumers/page/` in a browser, and the checks that it must pass with any bundler. */
import { expect } from "vitest";
import type { Browser } from "../hosts/browser.js";
import { type Visit, visit } from "../hosts/visit.js";
import { type CheckResult, expectRight } from "./check.js";

/** The first bytes of a WebAssembly module of version 1 in base64, and how the text of a packaged one begins. */
const BINARY = /AGFzbQE|["'`][0-9a-f]{64}[ -~]{1000}/g;

/** The number of binaries that the page has downloaded in its scripts. */
export const binariesIn = ({ scripts }: Visit): number =>
  [...scripts.values()].reduce((sum, text) => sum + [...text.matchAll(BINARY)].length, 0);

/** Opens the page; fails unless it computed the results of the reference, with an empty console. */
export async function expectRightPage(browser: Browser, host: string, url: string): Promise<CheckResult & { visit: Visit }> {
  const seen = await visit(browser, url);
  expect(seen.log).toEqual([]);
  const { pathname, search } = new URL(url);
  return { ...expectRight(`${browser.name} ${browser.version}, ${host} ${pathname}${search}`, seen.result), visit: seen };
}
