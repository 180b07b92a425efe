/** The packed package installed by Yarn without node_modules (Plug'n'Play), which resolves packages itself. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { obtain } from "../hosts/hosts.js";
import { type Consumer, copyConsumer, installTools } from "../hosts/install.js";
import { type CheckResult, expectRight, printReport } from "./check.js";

const YARN = "@yarnpkg/cli-dist";
let consumer: Consumer;
const yarn = (node: string, ...args: string[]) => consumer.run(node, join("tools/node_modules", YARN, "bin/yarn.js"), ...args);
beforeAll(async () => {
  consumer = copyConsumer("check.mjs", "node", "pnp");
  copyFileSync(inject("tarball"), join(consumer.folder, "headwise.tgz"));
  await installTools(consumer, `${YARN}@4.18.1`);
  await yarn(process.execPath, "install");
});
afterAll(() => {
  consumer.remove();
  printReport();
});

for (const host of await Promise.all((["Node 20", "Node 24"] as const).map(obtain))) {
  if (host.reason !== undefined) {
    test.skip(`not run: ${host.name}, which is not available here (${host.reason})`);
    continue;
  }
  const { name, executable } = host;
  const run = async (file: string, options: object): Promise<CheckResult> => {
    const { stdout } = await yarn(executable, "node", file, JSON.stringify(options));
    return expectRight(`Yarn PnP, ${name} ${file}`, JSON.parse(stdout));
  };

  test(`${name}: import and require equal the reference, on two threads, with the same bits`, async () => {
    const [imported, required] = [await run("main.mjs", { threads: 2 }), await run("main.cjs", { threads: 2 })];
    expect([imported.threads, required.threads]).toEqual([2, 2]);
    expect(required.bits).toBe(imported.bits);
    expect((await run("sync.cjs", {})).threads).toBe(1);
  });
}
