/** The script behind `npm test`: what it says of its arguments. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { readShare } from "../scripts/share.mjs";

const run = (...args: string[]) => spawnSync(process.execPath, ["scripts/test.mjs", ...args], { encoding: "utf8" });

test.each(["-h", "--help"])("%s prints the usage", (flag) => {
  const { status, stdout, stderr } = run("--build", "tests", flag);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^npm test -- \[options\] \[names\]\n[^]*--share[^]*HEADWISE_TEST_BUILDS/);
});

test.each([
  [["--hosts"], /^Unknown option '--hosts'/],
  [["--share", "3/2"], /^--share must be like 2\/5, got 3\/2\n/],
])("%j is answered with the usage, and no stack", (args, problem) => {
  const { status, stdout, stderr } = run(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(problem);
  expect(stderr).toContain("npm test -- [options] [names]");
  expect(stderr).not.toContain("    at ");
});

describe("shares", () => {
  test("have each element once", () => {
    const shares = [1, 2, 3].map((part) => readShare(`${part}/3`)!);
    for (let index = 0; index < 10; index++) expect(shares.filter((has) => has(index)).length).toBe(1);
  });

  test("are never empty: where there are fewer elements than shares, some are in several", () => {
    const shares = Array.from({ length: 8 }, (_, part) => readShare(`${part + 1}/8`)!);
    const elements = shares.map((has) => [0, 1, 2].filter((index) => has(index, 3)));
    expect(elements).toEqual([[0], [1], [2], [0], [1], [2], [0], [1]]);
  });

  test.each(["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3"])("%j is none", (text) => {
    expect(readShare(text)).toBeUndefined();
  });
});
