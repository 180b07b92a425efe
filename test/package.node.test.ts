/** The package as its consumers get it: types without the DOM, exports that resolve, nothing superfluous. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | Record<string, { types: string; default: string }>>;
  dependencies?: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** A folder in which only `headwise` is installed. */
function consumer(): string {
  const folder = mkdtempSync(join(tmpdir(), "headwise-consumer-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "headwise"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  return folder;
}

test("every export exists", () => {
  for (const [path, target] of Object.entries(manifest.exports)) {
    const files =
      typeof target === "string" ? [target.replace("*", "simd.wasm")] : Object.values(target).flatMap(Object.values<string>);
    for (const file of files) expect(existsSync(join(root, file)), `${path}: ${file}`).toBe(true);
  }
});

test("public types compile without the DOM, without @types/node and with library checks on", () => {
  const folder = consumer();
  writeFileSync(
    join(folder, "use.ts"),
    `import { createEngine, type Engine, type EngineTensor, type ResultTensor } from "headwise";
     import { createEngineSync } from "headwise/sync";
     import { scaledDotProductAttention as reference } from "headwise/reference";
     import { scaledDotProductAttention as baseline } from "headwise/baseline";
     const engine: Engine = createEngineSync({ build: "simd" });
     const x: EngineTensor<"float32"> = engine.tensor([4, 8]);
     const mask: EngineTensor<"uint8"> = engine.tensor([4, 4], "uint8");
     const result: ResultTensor = engine.scaledDotProductAttention(x, x, x, { causal: true, mask, window: [3, 0] });
     const same: EngineTensor<"float32"> = engine.scaledDotProductAttention(x, x, x, { out: x });
     const numbers: Float32Array = same.data;
     const truth: Float64Array = reference(result, result, result).data;
     baseline(result, result, result);
     // @ts-expect-error a misspelt option
     engine.scaledDotProductAttention(x, x, x, { casual: true });
     export const all = [numbers, truth, createEngine];`,
  );
  const options = {
    module: "nodenext",
    target: "es2022",
    lib: ["es2022"],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["use.ts"] }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
});

test("works with import and, where the host supports it, with require", () => {
  const folder = consumer();
  const use = `const engine = createEngineSync(); const x = { data: Float32Array.of(1, 2), dims: [2, 1] };
    console.log([...engine.scaledDotProductAttention(x, x, x, { causal: true }).data][0]);`;
  writeFileSync(join(folder, "use.mjs"), `import { createEngineSync } from "headwise/sync"; ${use}`);
  writeFileSync(join(folder, "use.cjs"), `const { createEngineSync } = require("headwise/sync"); ${use}`);
  for (const file of ["use.mjs", "use.cjs"]) {
    expect(execFileSync(process.execPath, [join(folder, file)], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })).toBe(
      "1\n",
    );
  }
});

test("an engine does not keep the process alive", () => {
  const folder = consumer();
  writeFileSync(
    join(folder, "use.mjs"),
    'import { createEngine } from "headwise"; console.log((await createEngine()).info.threads);',
  );
  expect(execFileSync(process.execPath, [join(folder, "use.mjs")], { encoding: "utf8", timeout: 20_000 })).toBe("1\n");
});

test("a tensor that is dropped without dispose frees its memory", () => {
  const folder = consumer();
  writeFileSync(
    join(folder, "use.mjs"),
    `import { createEngineSync } from "headwise/sync";
     const engine = createEngineSync();
     for (let i = 0; i < 10; i++) engine.tensor([1000]);
     const view = engine.tensor([16]).data.fill(42); // a view keeps its tensor alive
     const before = engine.info.memory.inUse;
     for (let turn = 0; turn < 50 && engine.info.memory.inUse > 64; turn++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
     const after = engine.info.memory.inUse;
     engine.tensor([16]).data.fill(7);
     console.log(before, after, view[0]);`,
  );
  const output = execFileSync(process.execPath, ["--expose-gc", join(folder, "use.mjs")], { encoding: "utf8" });
  expect(output).toBe(`${10 * 4032 + 64} 64 42\n`);
});

test("no runtime dependency, and exact versions of those for development", () => {
  expect(manifest.dependencies).toBeUndefined();
  for (const version of Object.values(manifest.devDependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});
