/** What the application of `test/consumers/next/` must do with each of Next.js's bundlers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type HostName, obtain } from "../hosts/hosts.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { type Consumer, install } from "../hosts/install.js";
import type { Site } from "../hosts/serve.js";
import { startServer } from "../hosts/startServer.js";
import { visit } from "../hosts/visit.js";
import { ends, expectNoWarning } from "./bundler.js";
import { expectRight } from "./check.js";

const NEXT = "node_modules/next/dist/bin/next";
/** What it says in CI, where no cache of earlier builds is kept. */
const NO_CACHE = /^.*No build cache found\..*$/m;
/** A result in a page that was prerendered. */
const COMPUTED = /"largestError":[\d.e-]+/;

interface Variant {
  readonly bundler: "turbopack" | "webpack";
  /** Whether Next.js prerenders what it may, and refuses random values and clocks in that. */
  readonly cacheComponents: boolean;
  readonly node: HostName;
}

export async function nextJs({ bundler, cacheComponents, node }: Variant): Promise<void> {
  const name = `Next.js 16, ${bundler}${cacheComponents ? ", cacheComponents" : ""}, ${node}`;
  const host = await obtain(node);
  if (host.reason !== undefined) {
    test.skip(`not run: ${name}, which is not available here (${host.reason})`);
    return;
  }
  const { executable } = host;

  describe(name, () => {
    let consumer: Consumer;
    let site: Site;
    beforeAll(async () => {
      vi.stubEnv("NEXT_TELEMETRY_DISABLED", "1");
      vi.stubEnv("HEADWISE_CACHE_COMPONENTS", cacheComponents ? "1" : "0");
      consumer = await install(inject("tarball"), "check.mjs", "next");
      ends.push(() => consumer.remove());
    });
    afterAll(() => vi.unstubAllEnvs());

    test("builds without a warning; server components are prerendered", async () => {
      const { stdout, stderr } = await consumer.run(executable, NEXT, "build", `--${bundler}`);
      expectNoWarning({ stdout: stdout.replace(NO_CACHE, ""), stderr: stderr.replace(NO_CACHE, "") });
      const prerendered = (page: string): string =>
        readFileSync(join(consumer.folder, `.next/server/app/${page}.html`), "utf8").replaceAll("&quot;", '"');
      expect(prerendered("index")).toMatch(COMPUTED);
      expect(COMPUTED.test(prerendered("threads")), "cacheComponents leaves what waits for workers to the request").toBe(
        !cacheComponents,
      );
      site = await startServer(consumer, executable, [NEXT, "start", "--port", "0"]);
      ends.push(() => site.close());
    });

    test("a route: two threads, and an engine in a worker", async () => {
      const { check, inWorker } = (await (await fetch(`${site.origin}/api`)).json()) as { check: unknown; inWorker: number[] };
      expect(expectRight(`${name}, route`, check)).toMatchObject({ threads: 2 });
      expect(inWorker).toEqual([1]);
    });

    inBrowser("Chromium", name, (browser) => {
      test.each([
        ["", 1],
        ["threads", 2],
      ])("page /%s: server components on %i threads, client components on two", async (path, threads) => {
        const { result, log } = await visit(browser(), `${site.origin}/${path}`);
        expect(log).toEqual([]);
        const { onServer, inPage } = result as { onServer: unknown; inPage: unknown };
        expect(expectRight(`${name}, server component /${path}`, onServer)).toMatchObject({ threads });
        expect(expectRight(`${name}, client component /${path}`, inPage)).toMatchObject({ threads: 2 });
      });
    });
  });
}
