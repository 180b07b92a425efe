/** The packed package gives the checked-in bits on every host. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { differences } from "../bits/compute.js";
import { readExpected } from "../bits/expected.js";
import { ask, bundle, find, HOST_NAMES } from "../bits/run.js";

const folder = mkdtempSync(join(tmpdir(), "headwise-bits-"));
const expected = readExpected().cases;
const count = Object.keys(expected).length;

beforeAll(async () => {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  execFileSync("npm", ["install", ...options, inject("tarball")], { cwd: folder, stdio: "pipe" });
  await bundle(join(folder, "node_modules/headwise/dist/index.js"), folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const name of HOST_NAMES) {
  const host = await find(name);
  if (host.reason !== undefined) {
    test.skip(`bits in ${name}, not run: ${host.reason}`, () => undefined);
    continue;
  }
  test(`bits in ${name} (${host.version}): ${count} cases of the simd build have the checked-in hashes, on 1 thread and on 2`, async () => {
    const { bits, shared, sharedReason, problem } = await ask(host, folder);
    expect(problem).toBeUndefined();
    expect(sharedReason).toBeUndefined();
    expect(differences(bits!, expected)).toEqual(new Map());
    expect(differences(shared!, expected)).toEqual(new Map());
  });
}
