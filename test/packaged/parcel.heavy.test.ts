/** The packed package in a page that Parcel bundles. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { build, bundler, serveBoth } from "./bundler.js";

bundler("Parcel 2", "parcel", async (consumer) => {
  const manifest = join(consumer.folder, "package.json");
  const before = readFileSync(manifest, "utf8");
  await build(consumer);
  expect(readFileSync(manifest, "utf8"), "Parcel installs what it takes for missing").toBe(before);
  return serveBoth(join(consumer.folder, "dist"));
});
