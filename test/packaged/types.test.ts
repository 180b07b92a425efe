/** The public types, as every supported TypeScript sees them: no DOM library, no @types, library checks on. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Consumer, install } from "../hosts/install.js";

const VERSIONS = ["5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "6.0", "7.0"];
const RESOLUTIONS = {
  nodenext: ["--module", "nodenext", "--moduleResolution", "nodenext"],
  bundler: ["--module", "esnext", "--moduleResolution", "bundler"],
};

/** The entries that have types, and the names that each exports, as a declaration file says. */
function exportedNames(installed: string): Map<string, string[]> {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { exports: Record<string, unknown> };
  const files = new Map<string, string>();
  for (const [entry, target] of Object.entries(exports)) {
    const { default: modules } = (typeof target === "string" ? {} : target) as { default?: { types: string } };
    if (modules) files.set(`headwise${entry.slice(1)}`, join(installed, modules.types));
  }
  const program = ts.createProgram([...files.values()], { module: ts.ModuleKind.NodeNext, lib: ["lib.es2022.d.ts"], types: [] });
  const checker = program.getTypeChecker();
  const namesOf = (file: string): string[] => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!);
    return module ? checker.getExportsOfModule(module).map(({ name }) => name) : [];
  };
  return new Map([...files].map(([entry, file]) => [entry, namesOf(file)]));
}

let consumer: Consumer;
let names: Map<string, string[]>;
beforeAll(async () => {
  consumer = await install(inject("tarball"), "types");
  names = exportedNames(join(consumer.folder, "node_modules/headwise"));
  const lines = [...names].map(([entry, all], index) => {
    const renamed = all.map((name) => `${name} as ${name}${index}`); // entries share names
    return `export type { ${renamed.join(", ")} } from "${entry}";\n`;
  });
  for (const file of ["names.ts", "commonjs/names.ts"]) writeFileSync(join(consumer.folder, file), lines.join(""));
});
afterAll(() => consumer.remove());

/** The output of a compiler; empty if there are no errors. */
const compile = (version: string, ...options: string[]): Promise<string> => compileIn(".", version, ...options);
const compileIn = async (project: string, version: string, ...options: string[]): Promise<string> => {
  const tsc = join("node_modules", `typescript-${version}`, "bin/tsc");
  try {
    return (await consumer.run(process.execPath, tsc, "-p", project, ...options)).stdout;
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

describe("a CommonJS project", () => {
  test.each(VERSIONS)("with module node16 compiles every public name and runs, TypeScript %s", async (version) => {
    const out = `commonjs/${version}`;
    expect(await compileIn("commonjs", version, "--outDir", out)).toBe("");
    const { stdout } = await consumer.run(process.execPath, join(out, "main.js"));
    expect(stdout.trim().split("\n")).toEqual(Array<string>(6).fill("1.000 0.000 0.330 0.670 0.752 0.752"));
  });

  test.each(["5.4", "5.9"])("that resolves as node10 finds every entry, TypeScript %s", async (version) => {
    const options = ["--noEmit", "--module", "commonjs", "--moduleResolution", "node10"];
    expect(await compileIn("commonjs", version, ...options)).toBe("");
  });
});

test("each compiler has the stated version", async () => {
  for (const version of VERSIONS) expect(await compile(version, "--version")).toContain(`Version ${version}.`);
});

test("the names are those of every entry", () => {
  expect([...names.keys()]).toEqual(expect.arrayContaining(["headwise", "headwise/sync", "headwise/reference", "headwise/worker"]));
  expect(names.get("headwise")).toEqual(expect.arrayContaining(["createEngine", "Engine", "ActivateOptions", "Mask"]));
  expect(names.get("headwise/reference")).toEqual(expect.arrayContaining(["softmax", "ReferenceSoftmaxOptions"]));
});
