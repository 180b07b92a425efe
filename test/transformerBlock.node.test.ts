/** The example with transformer blocks runs. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../examples/transformer-block/main.mjs", import.meta.url));
const run = (...args: string[]) => spawnSync(process.execPath, [program, ...args], { encoding: "utf8", timeout: 60_000 });

test("runs, and decoding differs in no bit", () => {
  const { stdout, status } = run("--embed", "32", "--heads", "4", "--kv-heads", "2", "--tokens", "9");
  expect(status).toBe(0);
  expect(stdout).toContain("bits that differ from one call on all tokens: 0\n");
});

test.each([
  [["--tokens", "x"], "--tokens x: not a positive integer"],
  [["--heads", "3"], "--embed 256: not a multiple of twice --heads 3"],
  [["--kv-heads", "3"], "--heads 8: not a multiple of --kv-heads 3"],
])("wrong arguments are named: %j", (args, message) => {
  const { stderr, status } = run(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});
