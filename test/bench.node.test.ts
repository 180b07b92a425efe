/** The benches find their sections by name, and import every file of the folder. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";

const folder = new URL("../bench/sections/", import.meta.url);

test.each(readdirSync(folder))("bench/sections/%s can be imported and exports a section", async (file) => {
  const { default: section } = (await import(new URL(file, folder).href)) as { default?: unknown };
  expect(section).toMatchObject({
    name: expect.stringMatching(/^\w+$/) as string,
    title: expect.any(String) as string,
    run: expect.any(Function) as () => void,
  });
});
