/** The page of `test/consumers/page/` in Chromium, and what must hold of it whoever has bundled it. */
import type { Browser } from "playwright-core";
import { expect } from "vitest";
import { type Visit, visit } from "../hosts/chromium.js";
import { type CheckResult, expectRight } from "./check.js";

/** How a WebAssembly module of version 1 begins, as base64 and as hexadecimal digits. */
const BINARY = /AGFzbQE|0061736d01/g;

/** How many binaries the page has downloaded in its scripts. */
export const binariesIn = ({ scripts }: Visit): number =>
  [...scripts.values()].reduce((sum, text) => sum + [...text.matchAll(BINARY)].length, 0);

/** Opens the page; fails unless it computed what the reference says, without a word on the console. */
export async function expectRightPage(browser: Browser, host: string, url: string): Promise<CheckResult & { visit: Visit }> {
  const seen = await visit(browser, url);
  expect(seen.log).toEqual([]);
  const { pathname, search } = new URL(url);
  return { ...expectRight(`Chromium ${browser.version()}, ${host} ${pathname}${search}`, seen.result), visit: seen };
}
