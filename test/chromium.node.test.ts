/** Says when the suite does not run in Chromium; with HEADWISE_REQUIRE_CHROMIUM=1 that is a failure. */
import { expect, test } from "vitest";
import { chromiumPath } from "./hosts/chromium.js";

const path = chromiumPath();
const isRequired = process.env["HEADWISE_REQUIRE_CHROMIUM"] === "1";
const title =
  path === undefined
    ? "not run: Chromium, as there is none; CHROMIUM can name its executable"
    : "there is a Chromium to run the suite in";

test.skipIf(path === undefined && !isRequired)(title, () => {
  expect(path, "a path of Chromium, as HEADWISE_REQUIRE_CHROMIUM is 1").toBeDefined();
});
