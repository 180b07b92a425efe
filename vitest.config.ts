/** The suite by hosts: all tests in Node; all except `*.node.test.ts`, which are about Node itself, in each browser that there is. */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { BROWSERS, findBrowser } from "./test/hosts/browser.js";
import { hosts, instanceOf } from "./test/hosts/provider.js";
import { leftOut } from "./test/hosts/longTests.js";
import { ISOLATION } from "./test/hosts/serve.js";
import { readConformance } from "./test/support/conformanceFile.js";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Tests, and examples in the docs, import the package by its name and get the sources. */
const sources = [
  { find: /^headwise$/, replacement: path("src/index.ts") },
  { find: /^headwise\/(reference|baseline)$/, replacement: path("src/$1/index.ts") },
  { find: /^headwise\/sync$/, replacement: path("src/sync.ts") },
];
const host = (name: string) => ({ alias: [...sources, { find: /^#host$/, replacement: path(`test/support/${name}.ts`) }] });
const TIMEOUT = 120_000;
/** Test files that run in parallel in Node; by default Vitest leaves one core idle. */
const WORKERS = Number(process.env["HEADWISE_TEST_WORKERS"] ?? availableParallelism());
const cacheDir = path("build/vite");

const node: TestProjectConfiguration = {
  cacheDir,
  resolve: host("hostNode"),
  test: { name: "node", include: ["test/*.test.ts"], testTimeout: TIMEOUT, maxWorkers: WORKERS },
};

const NODE_ONLY = "test/*.node.test.ts";
const instances = BROWSERS.filter((name) => findBrowser(name).reason === undefined).map((name) => ({
  browser: instanceOf(name),
  name: instanceOf(name),
  exclude: [NODE_ONLY, ...(name === "Chromium" ? [] : leftOut().map((file) => `test/${file}.test.ts`))],
}));

const browsers: TestProjectConfiguration = {
  cacheDir,
  resolve: host("hostBrowser"),
  server: { headers: ISOLATION },
  oxc: { target: "es2022" }, // without `using`, which WebKitGTK lacks
  // Every package that tests and sources import: one discovered while they run would make the page reload.
  optimizeDeps: { include: ["fast-check"], noDiscovery: true },
  test: {
    name: "browser",
    include: ["test/*.test.ts"],
    setupFiles: ["test/support/disposal.ts"],
    testTimeout: TIMEOUT,
    sequence: { groupOrder: 1 }, // after Node's: the two would compete for cores
    maxWorkers: 1,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: hosts(),
      instances,
      commands: { readConformance: (_, name: string) => readConformance(name) },
    },
  },
};

export default defineConfig({
  cacheDir,
  test: { projects: [node, ...(instances.length === 0 ? [] : [browsers])] },
});
