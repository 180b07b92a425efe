/** Reports when the suite does not run in Chromium. */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { chromiumPath } from "./hosts/chromium.js";

const path = chromiumPath();
const title =
  path === undefined
    ? "not run: Chromium, as there is none; CHROMIUM can name its executable"
    : "there is a Chromium to run the suite in";

test.skipIf(path === undefined)(title, () => {
  expect(existsSync(path!)).toBe(true);
});
