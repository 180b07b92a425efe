/** What every bundler of the page of `test/consumers/page/` must do. */
import { afterAll, describe, expect, inject, test } from "vitest";
import type { Browser, BrowserName } from "../hosts/browser.js";
import { inBrowser, nested } from "../hosts/inBrowser.js";
import { type Consumer, install, type Printed } from "../hosts/install.js";
import { ISOLATION, serve, type Site } from "../hosts/serve.js";
import { printReport } from "./check.js";
import { binariesIn, expectRightPage } from "./page.js";

/** Run after the tests of the file, the last one first. */
export const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
  printReport();
});

export interface Sites {
  readonly plain: string;
  readonly isolated: string;
}

/** Serves a folder without isolation and with it. */
export const serveBoth = async (folder: string, path = "/"): Promise<Sites> => {
  const open = async (headers: Record<string, string>): Promise<string> => {
    const site: Site = await serve(folder, () => headers);
    ends.push(() => site.close());
    return site.origin + path;
  };
  return { plain: await open({}), isolated: await open(ISOLATION) };
};

/** What Node says where a tool asks for the colors that tests forbid. */
const COLORS = /^\(node:\d+\) Warning: The 'NO_COLOR' env is ignored.*\n.*--trace-warnings.*$/gm;

/** Fails if a tool warned. */
export const expectNoWarning = ({ stdout, stderr }: Printed): void =>
  expect((stdout + stderr).replace(COLORS, "")).not.toMatch(/warn|deprecat|⚠|\(!\)/i);

/** Runs a build, which must not print a warning. */
export async function build(consumer: Consumer, ...args: string[]): Promise<void> {
  expectNoWarning(await consumer.run("npm", "run", "--silent", "build", "--", ...args));
}

/** What every page must do. */
export function whatMustHold(name: string, browserName: BrowserName, browser: () => Browser, sites: () => Sites): void {
  const open = (kind: keyof Sites, query = "") => expectRightPage(browser(), name, sites()[kind] + query);

  test("all operations equal the reference; one binary is downloaded", async () => {
    const { threads, visit } = await open("plain");
    expect(threads).toBe(1);
    expect(binariesIn(visit)).toBe(1);
  });

  test("the entry for attention equals the reference; one binary is downloaded", async () => {
    const { visit } = await open("plain", "?entry=attention");
    expect(binariesIn(visit)).toBe(1);
  });

  test("two threads in an isolated page have the bits of one", async () => {
    const two = await open("isolated", "?threads=2");
    expect(two.threads, two.threadsReason).toBe(2);
    expect(two.bits).toBe((await open("plain")).bits);
  });

  test("without isolation: one thread, and the reason", async () => {
    const { threads, threadsReason } = await open("plain", "?threads=2");
    expect({ threads, threadsReason }).toEqual({ threads: 1, threadsReason: "the page is not cross-origin isolated" });
  });

  test("in a worker of the page, also on two threads", nested(browserName), async () => {
    expect((await open("plain", "?in=worker")).threads).toBe(1);
    expect(await open("isolated", "?in=worker&threads=2")).toMatchObject({ threads: 2 });
  });

  test("two threads by createWorker, with headwise/worker as a file", async () => {
    const { threads, threadsReason } = await open("isolated", "?threads=2&pool=file");
    expect(threads, threadsReason).toBe(2);
  });
}

/** What a bundler writes is the same for every browser: where it says no more, one browser is enough. */
const CHROMIUM = ["Chromium"] as const;

/** A bundler whose build writes a site to a folder. */
export function bundler(
  name: string,
  project: string,
  finish: (consumer: Consumer) => Promise<Sites>,
  browsers: readonly BrowserName[] = CHROMIUM,
): void {
  describe(name, () => {
    let sites: Sites;
    test("builds without a warning", async () => {
      const consumer = await install(inject("tarball"), "check.mjs", "page", project);
      ends.push(() => consumer.remove());
      sites = await finish(consumer);
    });
    for (const browser of browsers) inBrowser(browser, name, (launched) => whatMustHold(name, browser, launched, () => sites));
  });
}
