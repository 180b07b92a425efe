/** The packed package in a page, with each bundler and without one, compared with the reference. */
import { spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Browser, type BrowserName, BROWSERS } from "../hosts/browser.js";
import { inBrowser, nested } from "../hosts/inBrowser.js";
import { type Consumer, install } from "../hosts/install.js";
import { ISOLATION, serve, type Site } from "../hosts/serve.js";
import { visit } from "../hosts/visit.js";
import { printReport } from "./check.js";
import { binariesIn, expectRightPage } from "./page.js";

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
  printReport();
});

interface Sites {
  readonly plain: string;
  readonly isolated: string;
}

const serveBoth = async (folder: string, path = "/"): Promise<Sites> => {
  const open = async (headers: Record<string, string>): Promise<string> => {
    const site: Site = await serve(folder, () => headers);
    ends.push(() => site.close());
    return site.origin + path;
  };
  return { plain: await open({}), isolated: await open(ISOLATION) };
};

/** Runs a build, which must not print a warning. */
async function build(consumer: Consumer, ...args: string[]): Promise<void> {
  const { stdout, stderr } = await consumer.run("npm", "run", "--silent", "build", "--", ...args);
  expect(stdout + stderr).not.toMatch(/warn|deprecat|\(!\)/i);
}

/** What every page must do. */
function whatMustHold(name: string, browserName: BrowserName, browser: () => Browser, sites: () => Sites): void {
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
function bundler(
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

bundler(
  "Vite 8, build",
  "vite",
  async (consumer) => {
    await build(consumer);
    return serveBoth(join(consumer.folder, "dist"));
  },
  BROWSERS,
);

bundler("Vite 8, build for a sub-path with workers that are ES modules", "vite", async (consumer) => {
  await build(consumer, "--config", "vite.es.config.mjs");
  return serveBoth(join(consumer.folder, "dist"), "/sub/");
});

bundler("webpack 5", "webpack", async (consumer) => {
  await build(consumer);
  return serveBoth(consumer.folder);
});

const withPage = async ({ folder }: Consumer): Promise<Sites> => {
  cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
  return serveBoth(join(folder, "dist"));
};

bundler("esbuild", "esbuild", async (consumer) => {
  await build(consumer);
  return withPage(consumer);
});

bundler("Rollup", "rollup", async (consumer) => {
  await build(consumer, "--failAfterWarnings");
  return withPage(consumer);
});

inBrowser("Chromium", "esbuild into one file", (browser) => {
  test("builds without a warning; attention equals the reference", async () => {
    const consumer = await install(inject("tarball"), "check.mjs", "page", "esbuild");
    ends.push(() => consumer.remove());
    const esbuild = join(consumer.folder, "node_modules/esbuild/bin/esbuild");
    const { stderr } = await consumer.run(
      process.execPath,
      esbuild,
      "main.mjs",
      "--bundle",
      "--format=esm",
      "--outfile=dist/main.mjs",
      "--log-level=warning",
    );
    expect(stderr).toBe("");
    const { plain, isolated } = await withPage(consumer);
    await expectRightPage(browser(), "esbuild into one file", plain);
    expect(await expectRightPage(browser(), "esbuild into one file", `${isolated}?threads=2`)).toMatchObject({ threads: 2 });
  });
});

inBrowser("Chromium", "Vite 8, development server", (browser) => {
  const sites: Record<keyof Sites, string> = { plain: "", isolated: "" };
  beforeAll(async () => {
    const consumer = await install(inject("tarball"), "check.mjs", "page", "vite");
    ends.push(() => consumer.remove());
    const start = (headers: object): Promise<string> =>
      new Promise((resolve, reject) => {
        const server = spawn(process.execPath, ["dev.mjs"], {
          cwd: consumer.folder,
          env: { ...process.env, HEADERS: JSON.stringify(headers), NODE_ENV: "development" },
        });
        ends.push(() => server.kill());
        server.stdout.on("data", (data: Buffer) => {
          const address = /at (http\S+)/.exec(data.toString())?.[1];
          if (address) resolve(address);
        });
        server.stderr.on("data", (data: Buffer) => reject(new Error(data.toString())));
        server.on("exit", (code) => reject(new Error(`ended with ${code}`)));
      });
    sites.plain = await start({});
    sites.isolated = await start(ISOLATION);
  });
  whatMustHold("Vite 8 development server", "Chromium", browser, () => sites);
});

describe("Vite 8, an engine made at the top level of a worker", () => {
  let site: Site;
  beforeAll(async () => {
    const consumer = await install(inject("tarball"), "vite-worker");
    ends.push(() => consumer.remove());
    await build(consumer);
    site = await serve(join(consumer.folder, "dist"), () => ISOLATION);
    ends.push(() => site.close());
  });

  for (const name of BROWSERS) {
    inBrowser(name, "with worker.format es", (browser) => {
      test("on one thread and on two, by createEngine and by createWorkerEngine", nested(name), async () => {
        const { result, log } = await visit(browser(), site.origin);
        const right = { numbers: "1.000 0.000 0.330 0.670 0.752 0.752" };
        const [one, two, inWorker] = [1, 2, 1].map((threads) => ({ ...right, threads }));
        expect({ result, log }).toEqual({ result: { one, two, inWorker }, log: [] });
      });
    });
  }
});

describe("no bundler", () => {
  let sites: Sites;
  beforeAll(async () => {
    const consumer = await install(inject("tarball"), "check.mjs", "page", "bare");
    ends.push(() => consumer.remove());
    sites = await serveBoth(consumer.folder);
  });

  for (const name of BROWSERS) {
    inBrowser(name, "no bundler", (browser) => {
      whatMustHold("no bundler", name, browser, () => sites);

      test("headwise/standalone needs no import map", async () => {
        await expectRightPage(browser(), "no bundler", `${sites.plain}standalone.html`);
      });
    });
  }
});
