/** The rooms of src/, by capability: imports point down, without circles. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What each file imports, by paths within a folder; types count, and so do texts of workers that are imported as files. */
function importsIn(folder: string): Map<string, string[]> {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("binary"))
    .map((name) => name.replace(/\\/g, "/"));
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(root, folder, file), "utf8");
      const specifiers = [...text.matchAll(/^(?:import|export)\b[^;]*?from "(\.[^"]+)";|\bimport\("(\.[^"]+)"\)/gm)].map(
        ([, from, dynamic]) => (from ?? dynamic)!,
      );
      const targets = specifiers.map((specifier) => `${normalize(join(dirname(file), specifier)).replace(/\.js$/, "")}.ts`);
      return [file, targets.filter((target) => files.includes(target))];
    }),
  );
}

/** A circle of imports, or undefined. */
function circleIn(imports: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of imports.get(file) ?? []) {
      const circle = visit(target, [...way, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}

/** From the ground up: a room imports from itself and from rooms before it. A file outside of all rooms is a room by its name. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  assembly: ["math", "tiles", "abi", "rows", "attention", "product", "linear", "multiHead", "attentionOnly.ts", "index.ts"],
  // prettier-ignore
  src: [
    "check.ts", "runtime", "call", "attention", "looks", "rows", "product", "cache", "scores", "choices", "linear", "multiHead", "engine",
    "workerEngine",
    "reference", "baseline", "attention.ts", "index.ts", "sync.ts", "syncWorkerd.ts", "attentionWorkerd.ts", "workerd.ts",
  ],
};

describe.each(Object.entries(FLOORS))("%s", (folder, floors) => {
  const imports = importsIn(folder);
  const roomOf = (file: string): string => file.split("/")[0]!;

  test("has no circle of imports", () => {
    expect(imports.size).toBeGreaterThan(50);
    expect(circleIn(imports)).toBeUndefined();
  });

  test("has only rooms on this list, and no import that points up", () => {
    expect([...imports.keys()].filter((file) => !floors.includes(roomOf(file)))).toEqual([]);
    const upward = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => floors.indexOf(roomOf(target)) > floors.indexOf(roomOf(file)))
        .map((target) => `${file} → ${target}`),
    );
    expect(upward).toEqual([]);
  });
});

test("the reference imports only types from the rest", () => {
  const folder = join(root, "src/reference");
  for (const file of readdirSync(folder)) {
    const lines = readFileSync(join(folder, file), "utf8").match(/^(?:import|export)\b[^;]*?from "\.\.\/[^"]+";/gm) ?? [];
    expect(
      lines.filter((line) => !/^(?:import|export) type /.test(line)),
      file,
    ).toEqual([]);
  }
});
