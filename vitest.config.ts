import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // The tests and the examples in the docs import the package by its name, and get the sources.
    alias: [
      { find: /^headwise$/, replacement: source("index.ts") },
      { find: /^headwise\/(reference|baseline)$/, replacement: source("$1/index.ts") },
      { find: /^headwise\/sync$/, replacement: source("sync.ts") },
    ],
  },
  test: {
    include: ["test/*.test.ts"],
    testTimeout: 120_000,
  },
});
