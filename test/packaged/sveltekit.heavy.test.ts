/** The packed package in SvelteKit: in `load` on the server, in the page, and in the service worker. */
import { expect, inject, test } from "vitest";
import { obtain } from "../hosts/hosts.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { install } from "../hosts/install.js";
import type { Site } from "../hosts/serve.js";
import { startServer } from "../hosts/startServer.js";
import { visit } from "../hosts/visit.js";
import { ends, expectNoWarning } from "./bundler.js";
import { expectRight } from "./check.js";

const NAME = "SvelteKit 3";
const VITE = "node_modules/vite/bin/vite.js";

const host = await obtain("Node 24"); // SvelteKit 3 does not run on Node 20
if (host.reason !== undefined) test.skip(`not run: ${NAME} needs Node 24, which is not available here (${host.reason})`);
else {
  const { executable } = host;
  let site: Site;
  test("builds without a warning", async () => {
    const consumer = await install(inject("tarball"), "check.mjs", "sveltekit");
    ends.push(() => consumer.remove());
    expectNoWarning(await consumer.run(executable, VITE, "build"));
    site = await startServer(consumer, executable, [VITE, "preview", "--port", "0"]);
    ends.push(() => site.close());
  });

  inBrowser("Chromium", NAME, (browser) => {
    test("load on the server and the page on two threads, the service worker with headwise/standalone-sync", async () => {
      const { result, log } = await visit(browser(), `${site.origin}/`);
      expect(log).toEqual([]);
      const { onServer, inPage, inServiceWorker } = result as Record<string, unknown>;
      expect(expectRight(`${NAME}, load`, onServer)).toMatchObject({ threads: 2 });
      expect(expectRight(`${NAME}, page`, inPage)).toMatchObject({ threads: 2 });
      expect(expectRight(`${NAME}, service worker`, inServiceWorker)).toMatchObject({ threads: 1 });
    });
  });
}
