/** The example that splits a context among processes has the result of one process. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const run = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL("../examples/long-context/main.mjs", import.meta.url)), ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });

test("three processes have the result of one, and send as many bytes as the document says", () => {
  // prettier-ignore
  const { stdout, status } = run(
    "--keys", "1300", "--processes", "3", "--heads", "4", "--kv-heads", "2", "--head-dim", "16", "--tokens", "3",
  );
  expect(status).toBe(0);
  const [, query, parts, back] = /sent a token: (\d+) bytes to each of (\d+) processes, (\d+) bytes back/.exec(stdout)!.map(Number);
  expect([query, parts, back]).toEqual([4 * 4 * 16, 3, 3 * (4 * 4 * 16 + 4 * 4)]);
  const [, difference] = /largest difference: (\S+)/.exec(stdout)!;
  expect(Number(difference)).toBeLessThan(1e-6);
});

test.each([
  [["--keys", "x"], "--keys x: not a positive integer"],
  [["--heads", "5"], "--heads 5: not a multiple of --kv-heads 8"],
  [["--processes", "9", "--keys", "8"], "--processes 9: more than --keys 8"],
])("wrong arguments are named: %j", (args, message) => {
  const { stderr, status } = run(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});
