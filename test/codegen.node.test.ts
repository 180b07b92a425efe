/** The compiled inner loops: loads, splats, arithmetic and one counter; no call, no global, no vector literal. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const ZERO_OR_ONES = /v128\.const i32x4 (0x00000000( 0x00000000){3}|0xffffffff( 0xffffffff){3})/;

/** Bodies of the functions in a text module, by name. */
function functionsOf(wat: string): Map<string, string[]> {
  const functions = new Map<string, string[]>();
  let body: string[] | undefined;
  for (const line of wat.split("\n")) {
    const match = /^ \(func \$(\S+)/.exec(line);
    if (match) functions.set(match[1]!, (body = []));
    else if (line.startsWith(" )")) body = undefined;
    else body?.push(line.trim());
  }
  return functions;
}

/** Loops that contain no other loop. Binaryen writes a module flat: `loop … end`. */
function innermostLoops(body: readonly string[]): string[][] {
  const open: { kind: string; start: number; hasLoop: boolean }[] = [];
  const loops: string[][] = [];
  for (const [index, line] of body.entries()) {
    const [instruction = ""] = line.split(" ");
    if (["block", "loop", "if"].includes(instruction)) open.push({ kind: instruction, start: index, hasLoop: false });
    if (instruction !== "end") continue;
    const { kind, start, hasLoop } = open.pop()!;
    const isLoop = kind === "loop";
    if (isLoop && !hasLoop) loops.push(body.slice(start + 1, index));
    const outer = open.at(-1);
    if (outer && (isLoop || hasLoop)) outer.hasLoop = true;
  }
  return loops;
}

const count = (loop: readonly string[], instruction: RegExp): number => loop.filter((line) => instruction.test(line)).length;

describe.each(["simd", "relaxed", "wide"])("%s", (build) => {
  const wat = readFileSync(new URL(`../build/${build}.wat`, import.meta.url), "utf8");
  const functions = functionsOf(wat);
  const loopsInside = (line: string): boolean =>
    functions.get(/^call \$(\S+)/.exec(line)?.[1] ?? "")?.some((inside) => inside.startsWith("loop ")) ?? false;
  const vectorLoops = [...functions].flatMap(([name, body]) =>
    innermostLoops(body)
      .filter((loop) => !loop.some(loopsInside)) // the loop is in the function that it calls
      .filter((loop) => count(loop, /^v128\.load(8x8_[su]|16x4_u)?( |$)/) > 0) // more than a splat of constants
      .map((loop) => ({ name, loop })),
  );
  const tiles = vectorLoops.filter(({ name }) => /(multiplyStrip|accumulateRows|accumulateChains)(Int8)?$/.test(name));
  const isTile = (loop: readonly string[], rows: number, panels = 1): boolean =>
    count(loop, /^v128\.load32_splat/) === rows &&
    count(loop, /^v128\.load( |$)/) === 2 * panels &&
    count(loop, build === "simd" ? /^f32x4\.mul/ : /^f32x4\.relaxed_madd/) === 2 * panels * rows;
  const isInt8Tile = (loop: readonly string[], rows: number, panels = 1): boolean =>
    count(loop, /^v128\.load32_splat/) === rows &&
    count(loop, /^v128\.load8x8_s/) === 2 * panels &&
    count(loop, /^i32x4\.dot_i16x8_s/) === 2 * panels * rows;

  test("the loops are found: tiles of 6, 4 and 1 rows, three for float32 and two for int8, and the others", () => {
    for (const rows of [6, 4, 1]) {
      expect(tiles.filter(({ loop }) => isTile(loop, rows)).length).toBe(rows === 1 ? 2 : 3); // chains of one row go through the others'
      expect(tiles.filter(({ loop }) => isInt8Tile(loop, rows)).length).toBe(2);
    }
    for (const rows of [6, 4]) {
      expect(tiles.filter(({ loop }) => isTile(loop, rows, 2)).length).toBe(build === "wide" ? 3 : 0);
      expect(tiles.filter(({ loop }) => isInt8Tile(loop, rows, 2)).length).toBe(build === "wide" ? 2 : 0);
    }
    expect(vectorLoops.length).toBeGreaterThanOrEqual(15);
  });

  test("no inner loop of vectors calls a function or touches a global", () => {
    for (const { name, loop } of vectorLoops) {
      expect(
        loop.filter((line) => /^(call|global\.)/.test(line)),
        name,
      ).toEqual([]);
    }
  });

  test("no function builds a vector literal other than zero and all ones", () => {
    for (const [name, body] of functions) {
      expect(
        body.filter((line) => line.startsWith("v128.const") && !ZERO_OR_ONES.test(line)),
        name,
      ).toEqual([]);
    }
  });

  test("a tile's step is loads, splats, madds and two pointers: no store, no shuffle, one branch", () => {
    for (const [rows, panels] of [
      [6, 1],
      [4, 1],
      [1, 1],
      [6, 2],
      [4, 2],
    ] as const) {
      const isOne = ({ loop }: (typeof tiles)[number]): boolean => isTile(loop, rows, panels) || isInt8Tile(loop, rows, panels);
      for (const { name, loop } of tiles.filter(isOne)) {
        expect(count(loop, /store|shuffle|^if|^select/), name).toBe(0);
        expect(count(loop, /^br/), name).toBe(1);
        expect(count(loop, /^i32\.add/), name).toBeLessThanOrEqual(2 + panels);
      }
    }
  });
});

test("the builds debug and simd have no fused multiply-add", () => {
  for (const build of ["debug", "simd"]) {
    expect(readFileSync(new URL(`../build/${build}.wat`, import.meta.url), "utf8")).not.toContain("relaxed");
  }
});

test("only one file depends on the build", () => {
  const sources = readdirSync(new URL("../assembly", import.meta.url), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const knowing = sources.filter((name) =>
    /ASC_FEATURE|relaxed_/.test(readFileSync(new URL(`../assembly/${name}`, import.meta.url), "utf8")),
  );
  expect(knowing).toEqual(["math/simd.ts"]);
});

test("results use only sqrt and exact functions of the host's Math", () => {
  const EXACT = ["sqrt", "fround", "abs", "min", "max", "floor", "ceil", "imul", "clz32", "PI"];
  const sources = readdirSync(new URL("../src", import.meta.url), { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !/^(reference|baseline|runtime.binary)/.test(name), // generated files come from the others
  );
  expect(sources.length).toBeGreaterThan(15);
  for (const name of sources) {
    const text = readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8").replace(/^ *\*.*$/gm, ""); // examples do not count
    const used = [...text.matchAll(/\bMath\.(\w+)/g)].map(([, member]) => member);
    expect(
      used.filter((member) => !EXACT.includes(member!)),
      name,
    ).toEqual([]);
  }
});
