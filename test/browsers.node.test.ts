/** Reports the browsers, and the tests, that the suite leaves out. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BROWSERS, findBrowser } from "./hosts/browser.js";
import { leftOut, QUARTERS } from "./hosts/quarters.js";

describe.each(BROWSERS)("%s", (name) => {
  const { executable, reason } = { executable: "", ...findBrowser(name) };
  test.skipIf(reason !== undefined)(reason === undefined ? "the suite runs there" : `not run: ${reason}`, () => {
    expect(existsSync(executable)).toBe(true);
  });

  const files = name === "Chromium" || reason !== undefined ? [] : leftOut();
  if (files.length > 0) test.skip(`not run in this quarter: ${files.join(", ")}`, () => undefined);
});

test("every file of a quarter exists", () => {
  for (const file of QUARTERS.flat()) expect(existsSync(`test/${file}.test.ts`), file).toBe(true);
});
