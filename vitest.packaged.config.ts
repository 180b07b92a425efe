/** Tests of the packed package, in the hosts and tools of its users; run `npm run build` first. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/packaged/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    globalSetup: ["test/packaged/pack.ts"],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
