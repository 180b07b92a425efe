/** The suite in two hosts: all tests in Node; all except `*.node.test.ts`, which are about Node itself, in Chromium if there is one. */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { CHROMIUM_ARGS, chromiumPath } from "./test/hosts/chromium.js";
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

const chromium = (executablePath: string): TestProjectConfiguration => ({
  cacheDir,
  resolve: host("hostBrowser"),
  server: { headers: ISOLATION },
  // Every package that tests and sources import: one discovered while they run would make the page reload.
  optimizeDeps: { include: ["fast-check"], noDiscovery: true },
  test: {
    name: "browser",
    include: ["test/*.test.ts"],
    exclude: ["test/*.node.test.ts"],
    testTimeout: TIMEOUT,
    sequence: { groupOrder: 1 }, // after Node's: the two would compete for cores
    maxWorkers: 1,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath, args: CHROMIUM_ARGS } }),
      instances: [{ browser: "chromium", name: "chromium" }],
      commands: { readConformance: (_, name: string) => readConformance(name) },
    },
  },
});

const executablePath = chromiumPath();
export default defineConfig({
  cacheDir,
  test: { projects: [node, ...(executablePath === undefined ? [] : [chromium(executablePath)])] },
});
