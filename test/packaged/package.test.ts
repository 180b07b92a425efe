/** The packed package itself: its files, its metadata, and what importing it does. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { publint } from "publint";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { BUDGETS, bundlePage, gzipBytesOf, type Page, type PageEntry } from "../../bench/pageSize.js";
import { type Consumer, install } from "../hosts/install.js";

const tarball = inject("tarball");
let consumer: Consumer;
/** The installed package. */
let folder: string;
interface Files {
  readonly types: string;
  readonly default: string;
}
let manifest: { exports: Record<string, string | Record<string, Files>>; [field: string]: unknown };
beforeAll(async () => {
  consumer = await install(tarball, "empty");
  folder = join(consumer.folder, "node_modules/headwise");
  manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as typeof manifest;
});
afterAll(() => consumer.remove());

/** Entries that are code, by the name in an import. */
const entries = (): string[] =>
  Object.entries(manifest.exports).flatMap(([entry, target]) => (typeof target === "string" ? [] : [`headwise${entry.slice(1)}`]));
const isWorker = (entry: string): boolean => ["headwise/worker", "headwise/engine-worker"].includes(entry);

/** Runs a module in Node with the package installed; returns the lines that it prints. */
const printed = async (code: string): Promise<string[]> => {
  const { stdout, stderr } = await consumer.run(process.execPath, "--input-type=module", "--eval", code);
  expect(stderr.replaceAll(/.*ExperimentalWarning.*\n.*\n/g, "")).toBe("");
  return stdout.trimEnd().split("\n");
};

describe("its files", () => {
  test("are code, types, kernels and documents, and nothing else", () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile() && !each.parentPath.includes("node_modules/headwise/node_modules"))
      .map((each) =>
        join(each.parentPath, each.name)
          .slice(folder.length + 1)
          .replaceAll("\\", "/"),
      );
    const expected = [
      /^(package\.json|LICENSE|README\.md|CHANGELOG\.md)$/,
      /^docs\/[\w/-]+\.(md|svg)$/,
      /^dist\/[\w/.-]+\.(js|d\.ts)$/,
      /^dist\/commonjs\/[\w/.-]+\.(cjs|d\.cts)$/,
      /^dist\/wasm\/(attention-)?(simd|relaxed|wide)\.wasm$/,
    ];
    expect(files.filter((file) => !expected.some((pattern) => pattern.test(file)))).toEqual([]);
    for (const file of ["LICENSE", "README.md", "CHANGELOG.md", "docs/semantics.md"]) expect(files).toContain(file);
    // Sources are not included, so neither are source maps.
    for (const file of files.filter((each) => /\.c?js$/.test(each))) {
      expect(readFileSync(join(folder, file), "utf8"), file).not.toContain("sourceMappingURL");
      if (file.endsWith(".js") && !file.startsWith("dist/standalone")) expect(files).toContain(file.replace(/\.js$/, ".d.ts"));
    }
  });

  test("include the targets of the README's relative links, unless only a clone has them", () => {
    const links = [...readFileSync(join(folder, "README.md"), "utf8").matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      ([, link]) => link!,
    );
    expect(links.length).toBeGreaterThan(3);
    const missing = links.filter((link) => !existsSync(join(folder, link)));
    for (const link of missing) {
      expect(link).toMatch(/^(examples\/|CONTRIBUTING\.md$)/);
      expect(existsSync(resolve(link)), link).toBe(true);
    }
  });
});

describe("its metadata", () => {
  test("publint --strict reports nothing, not even a suggestion", async () => {
    const bytes = readFileSync(tarball);
    const pack = { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
    const { messages } = await publint({ pack, strict: true });
    expect(messages).toEqual([]);
  });

  test("attw finds the right types for every entry, from every kind of project", async () => {
    const attw = resolve("node_modules/@arethetypeswrong/cli/dist/index.js");
    const { stdout } = await consumer.run(process.execPath, attw, tarball, "--profile", "strict", "--format", "json");
    const { analysis } = JSON.parse(stdout) as {
      analysis: {
        entrypoints: Record<
          string,
          { resolutions: Record<string, { resolution?: { isJson: boolean; isTypeScript: boolean }; isWildcard?: boolean }> }
        >;
        problems: unknown[];
      };
    };
    expect(Object.keys(analysis.entrypoints).sort()).toEqual(Object.keys(manifest.exports).sort());
    expect(analysis.problems).toEqual([]);
    for (const [entry, { resolutions }] of Object.entries(analysis.entrypoints)) {
      for (const kind of ["node10", "node16-cjs", "node16-esm", "bundler"]) {
        const { resolution, isWildcard } = resolutions[kind]!;
        expect(isWildcard ?? (resolution!.isTypeScript || resolution!.isJson), `${entry}, ${kind}`).toBe(true);
      }
    }
  });

  test("every entry has ES modules and CommonJS; types come first, and every target exists", () => {
    for (const [entry, conditions] of Object.entries(manifest.exports)) {
      if (typeof conditions === "string") continue;
      // Node and Deno, bundlers, and Bun take these for `require` as well, so that a program has one copy.
      const forBoth = ["module-sync", "module", "bun"];
      const names = Object.keys(conditions).filter((name) => name !== "workerd");
      expect(names, entry).toEqual([...forBoth, "require", "default"]);
      for (const name of forBoth) expect(conditions[name], entry).toEqual(conditions["default"]);
      for (const [name, files] of Object.entries(conditions)) {
        expect(Object.keys(files), `${entry}, ${name}`).toEqual(["types", "default"]);
        for (const file of [files.types, files.default]) expect(existsSync(join(folder, file)), `${entry}: ${file}`).toBe(true);
      }
    }
    expect(manifest.exports).toMatchObject({ "./package.json": "./package.json", "./wasm/*": "./dist/wasm/*" });
    expect(manifest).toMatchObject({ type: "module", license: "MIT", engines: { node: ">=20.19" } });
    for (const field of ["repository", "homepage", "bugs"])
      expect(manifest, "there is no such address yet").not.toHaveProperty(field);
  });
});

/** This code in one bundle that imports nothing. */
const bundled = async (code: string, format: "esm" | "iife"): Promise<string> => {
  const virtual = {
    name: "virtual",
    resolveId: (id: string) => (id === "page" ? join(consumer.folder, "page.js") : null),
    load: (id: string) => (id === join(consumer.folder, "page.js") ? code : null),
  };
  const bundle = await rolldown({ input: "page", platform: "browser", logLevel: "silent", plugins: [virtual] });
  const { output } = await bundle.generate({ format, codeSplitting: false });
  await bundle.close();
  return output[0].code;
};

describe("what importing it does", () => {
  test("an unused import vanishes from a bundle", async () => {
    for (const entry of entries().filter((each) => !isWorker(each))) {
      expect(await bundled(`import "${entry}";`, "esm"), entry).toBe("");
      expect(await bundled(`import * as headwise from "${entry}";`, "esm"), entry).toBe("");
    }
  });

  test("workers, which are imported for their side effects, stay", async () => {
    expect(await bundled('import "headwise/worker";', "esm")).toContain("Atomics.wait");
    expect(await bundled('import "headwise/engine-worker";', "esm")).toContain("createWorkerEngine");
  });

  test("a bundle with one import is smaller than one with all", async () => {
    const [mask, all] = await Promise.all([
      bundled('import { causalMask } from "headwise"; globalThis.result = causalMask(2);', "esm"),
      bundled('import * as headwise from "headwise"; globalThis.result = headwise;', "esm"),
    ]);
    expect(mask).not.toContain("WebAssembly");
    expect(mask.length).toBeLessThan(all.length / 20);
  });

  test("no file awaits at its top level", async () => {
    for (const entry of entries()) await bundled(`import * as all from "${entry}"; globalThis.result = all;`, "iife");
    await expect(bundled("globalThis.result = await 1;", "iife"), "the bundler tells").rejects.toThrow(/top-level await/);
  });

  test("an entry has the same names as ES module and as CommonJS, which every host's require finds", async () => {
    const targets = Object.entries(manifest.exports).flatMap(([entry, conditions]) =>
      typeof conditions === "string" || isWorker(`headwise${entry.slice(1)}`)
        ? []
        : [[entry, conditions["default"]!.default, conditions["require"]!.default]],
    );
    const lines = await printed(`
      import { createRequire } from "node:module";
      import { pathToFileURL } from "node:url";
      const require = createRequire(import.meta.url);
      const folder = ${JSON.stringify(`${folder}/`)};
      for (const [entry, module, commonjs] of ${JSON.stringify(targets)}) {
        const names = Object.keys(await import(pathToFileURL(folder + module).href)).sort().join();
        const required = require(folder + commonjs);
        const imported = await import(pathToFileURL(folder + commonjs).href);
        const found = Object.keys(imported).filter((name) => !["default", "module.exports", "__esModule"].includes(name));
        console.log(entry, names !== "", Object.keys(required).sort().join() === names, found.sort().join() === names);
      }
    `);
    expect(lines).toEqual(targets.map(([entry]) => `${entry} true true true`));
  });

  test("computes nothing, changes no global and leaves nothing open", async () => {
    const lines = await printed(`
      const globals = () => Reflect.ownKeys(globalThis).map(String).sort().join();
      const refuse = (name) => () => { throw new Error(name + " was called"); };
      for (const name of ["validate", "compile", "instantiate", "Module", "Instance", "Memory"]) WebAssembly[name] = refuse(name);
      for (const name of ["Worker", "SharedArrayBuffer", "setTimeout", "fetch"]) globalThis[name] = refuse(name);
      const before = globals();
      const { createRequire } = await import("node:module");
      const { readdirSync } = await import("node:fs");
      const commonjs = ${JSON.stringify(`${folder}/dist/commonjs/`)};
      for (const entry of ${JSON.stringify(entries().filter((each) => !isWorker(each)))}) await import(entry);
      for (const file of readdirSync(commonjs)) if (/(?<!worker)\\.cjs$/.test(file)) createRequire(commonjs)(commonjs + file);
      console.log(globals() === before); // and the process ends
    `);
    expect(lines).toEqual(["true"]);
  });
});

describe.each(Object.keys(BUDGETS) as PageEntry[])("what a page downloads for %s", (entry) => {
  let page: Page;
  beforeAll(async () => {
    page = await bundlePage(join(folder, "dist"), entry);
  });
  const modulesOf = (files: Page["files"]): string[] => files.flatMap(({ modules }) => modules);
  const binaries = (files: Page["files"]): string[] =>
    modulesOf(files).flatMap((module) => /runtime\/binary\/([\w-]+)\.js$/.exec(module)?.[1] ?? []);
  const isAll = entry === "headwise";
  const nameOf = (build: string): string => (isAll ? build : `attention-${build}`);

  test.each(["simd", "relaxed"] as const)(`at most ${BUDGETS[entry]} bytes with gzip, build %s, on several threads`, (build) => {
    const files = page.filesFor(build);
    expect(gzipBytesOf(files)).toBeLessThanOrEqual(BUDGETS[entry]);
    // What has this size.
    expect(binaries(files).sort()).toEqual([nameOf(build), "worker"]);
    const modules = modulesOf(files).join();
    for (const file of ["pool", "kvCache", "masks", isAll ? "engine/engine" : "createAttentionEngine"])
      expect(modules).toContain(file);
    expect(modules.includes("linearAttention")).toBe(isAll);
  });

  test("each build is in its own file, and none is loaded up front", () => {
    expect(binaries(page.initial)).toEqual([]);
    const withBinary = page.files.filter((file) => binaries([file]).length > 0);
    expect(withBinary.map(({ modules }) => modules.length)).toEqual(withBinary.map(() => 1));
    const workers = ["worker", isAll ? "engineWorker" : "attentionWorker"];
    expect(binaries(page.files).sort()).toEqual([...["simd", "relaxed", "wide"].map(nameOf), ...workers].sort());
  });

  test("the files loaded up front contain no long text that could be kernels", () => {
    for (const { code, name } of page.initial) {
      const longest = Math.max(...[...code.matchAll(/[\w+/=]+/g)].map(([word]) => word.length));
      expect(longest, name).toBeLessThan(100);
    }
  });

  test.each<[string, string[]]>([
    ["{}", ["BUILD"]],
    ['{ build: "simd" }', ["simd"]],
    ['{ build: "simd", threads: 2 }', ["simd", "worker"]],
  ])("createEngine(%s) loads one build", async (options, expected) => {
    const hook = `import { writeSync } from "node:fs";
      export const load = (url, context, next) => { writeSync(1, "loads " + url + "\\n"); return next(url, context); };`;
    const lines = await printed(`
      import { register } from "node:module";
      register("data:text/javascript,${encodeURIComponent(hook)}");
      const { createEngine } = await import("${entry}");
      const engine = await createEngine(${options});
      console.log("build " + engine.info.build);
      engine.dispose();
    `);
    const build = lines.at(-1)!.slice("build ".length);
    const loaded = lines.flatMap((line) => /^loads .*\/headwise\/dist\/(.*)\.js$/.exec(line)?.[1] ?? []);
    const names = loaded.flatMap((module) => /^runtime\/binary\/(.*)$/.exec(module)?.[1] ?? []);
    expect(names.sort()).toEqual(expected.map((name) => (name === "worker" ? name : nameOf(name.replace("BUILD", build)))));
    expect(loaded.includes("engine/engine")).toBe(isAll);
  });
});
