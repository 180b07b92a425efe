/** Reports the browsers, and the tests, that the suite leaves out. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BROWSERS, findBrowser } from "./hosts/browser.js";
import { leftOut, LONG_TESTS } from "./hosts/longTests.js";

describe.each(BROWSERS)("%s", (name) => {
  const { executable, reason } = { executable: "", ...findBrowser(name) };
  test.skipIf(reason !== undefined)(reason === undefined ? "the suite runs there" : `not run: ${reason}`, () => {
    expect(existsSync(executable)).toBe(true);
  });

  const files = name === "Chromium" || reason !== undefined ? [] : leftOut();
  if (files.length > 0) test.skip(`not in this share of the long tests: ${files.join(", ")}`, () => undefined);
});

test("every long test is a file", () => {
  for (const file of LONG_TESTS) expect(existsSync(`test/${file}.test.ts`), file).toBe(true);
});
