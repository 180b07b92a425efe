/** The public types, as every supported TypeScript sees them: no DOM library, no @types, library checks on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Consumer, install } from "../hosts/install.js";

const VERSIONS = ["5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "6.0", "7.0"];
const RESOLUTIONS = {
  nodenext: ["--module", "nodenext", "--moduleResolution", "nodenext"],
  bundler: ["--module", "esnext", "--moduleResolution", "bundler"],
};
const SOURCES = ["attention.ts", "operations.ts", "definitions.ts", "workerEngine.ts"];

let consumer: Consumer;
beforeAll(async () => {
  consumer = await install(inject("tarball"), "types");
});
afterAll(() => consumer.remove());

/** The output of a compiler; empty if there are no errors. */
const compile = async (version: string, ...options: string[]): Promise<string> => {
  const tsc = join("node_modules", `typescript-${version}`, "bin/tsc");
  try {
    return (await consumer.run(process.execPath, tsc, "-p", ".", ...options)).stdout;
  } catch (error) {
    return (error as Error).message;
  }
};

describe.each(VERSIONS)("TypeScript %s", (version) => {
  test.each(Object.entries(RESOLUTIONS))("compiles every public name, resolved as %s", async (_, resolution) => {
    const says = ["false", "true"].map((exact) => compile(version, ...resolution, "--exactOptionalPropertyTypes", exact));
    expect(await Promise.all(says)).toEqual(["", ""]);
  });
});

test("each compiler has the stated version", async () => {
  for (const version of VERSIONS) expect(await compile(version, "--version")).toContain(`Version ${version}.`);
});

test("the sources use every name that the entries export", () => {
  const sources = SOURCES.map((name) => readFileSync(join(consumer.folder, name), "utf8")).join("\n");
  const installed = join(consumer.folder, "node_modules/headwise");
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { exports: Record<string, unknown> };
  for (const [entry, target] of Object.entries(exports)) {
    if (typeof target === "string") continue; // files without types
    expect(sources, entry).toContain(`from "headwise${entry.slice(1)}"`);
    const declarations = readFileSync(join(installed, (target as { types: string }).types), "utf8");
    const lists = [...declarations.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list]) => list!).join(",");
    const direct = [...declarations.matchAll(/^export declare (?:async )?(?:function|const|class) (\w+)/gm)].map(
      ([, name]) => name!,
    );
    const listed = lists.split(",").map((each) => each.replace("type ", "").trim());
    for (const name of [...direct, ...listed].filter((each) => each !== ""))
      expect(sources, `${entry}: ${name}`).toMatch(new RegExp(`\\b${name}\\b`));
  }
});
