/** The packed package in an application that Angular's builder bundles. */
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { obtain } from "../hosts/hosts.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { install } from "../hosts/install.js";
import { visit } from "../hosts/visit.js";
import { ends, expectNoWarning, serveBoth, type Sites } from "./bundler.js";
import { expectRight } from "./check.js";

const NAME = "Angular 22";

const host = await obtain("Node 24"); // Angular 22 does not run on Node 20
if (host.reason !== undefined) test.skip(`not run: ${NAME} needs Node 24, which is not available here (${host.reason})`);
else {
  let sites: Sites;
  test("builds without a warning", async () => {
    const consumer = await install(inject("tarball"), "check.mjs", "angular");
    ends.push(() => consumer.remove());
    expectNoWarning(await consumer.run(host.executable, "node_modules/@angular/cli/bin/ng.js", "build"));
    sites = await serveBoth(join(consumer.folder, "dist"));
  });

  inBrowser("Chromium", NAME, (browser) => {
    test.each([
      [1, "plain"],
      [2, "isolated"],
    ] as const)("on %i threads in a page that is %s: in the page, in its worker, by createWorkerEngine", async (threads, kind) => {
      const { result, log } = await visit(browser(), `${sites[kind]}?threads=${threads}`);
      expect(log).toEqual([]);
      const { inPage, inWorker, inWorkerEngine } = result as Record<string, unknown>;
      expect(expectRight(`${NAME}, page`, inPage)).toMatchObject({ threads });
      expect(expectRight(`${NAME}, worker`, inWorker)).toMatchObject({ threads });
      expect(inWorkerEngine).toEqual([1]);
    });
  });
}
