/** The packed package in a page, with each bundler and without one, compared with the reference. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { BROWSERS } from "../hosts/browser.js";
import { inBrowser, nested } from "../hosts/inBrowser.js";
import { type Consumer, install } from "../hosts/install.js";
import { ISOLATION, serve, type Site } from "../hosts/serve.js";
import { startServer } from "../hosts/startServer.js";
import { visit } from "../hosts/visit.js";
import { build, bundler, ends, serveBoth, type Sites, whatMustHold } from "./bundler.js";
import { expectRightPage } from "./page.js";

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
    const start = async (headers: object): Promise<string> => {
      const env = { HEADERS: JSON.stringify(headers), NODE_ENV: "development" };
      const site = await startServer(consumer, process.execPath, ["dev.mjs"], env);
      ends.push(() => site.close());
      return `${site.origin}/`;
    };
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
