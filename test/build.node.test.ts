/** The builder runs the steps that must run and no others; the steps here count their runs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { build as building } from "../scripts/builder/engine.mjs";
// @ts-expect-error a script without types
import { withImports as importing } from "../scripts/builder/files.mjs";
// @ts-expect-error a script without types
import * as list from "../scripts/builder/steps.mjs";

interface Step {
  name: string;
  makes: string;
  needs?: string[];
  inputs: () => string[];
  settings?: () => unknown;
  outputs: string[];
  notice?: string;
  run: () => unknown;
}
interface Options {
  root: string;
  jobs?: number;
  report?: (line: string) => void;
}
const build = building as (steps: readonly Step[], wanted: readonly string[], options: Options) => Promise<string[]>;
const withImports = importing as (root: string, entries: readonly string[]) => string[];
const { STEPS, TARGETS } = list as unknown as { STEPS: readonly Step[]; TARGETS: Record<string, readonly string[]> };

const root = fileURLToPath(new URL("..", import.meta.url));

/** A folder that is removed after the test, and functions that read and write in it. */
function workshop() {
  const folder = mkdtempSync(join(tmpdir(), "headwise-build-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const read = (name: string): string => readFileSync(path(name), "utf8");
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  };
  return { folder, path, read, write };
}

/** Two sources, each with a step that capitalizes it, a step that joins the results, and an unrelated step. */
function capitals() {
  const shop = workshop();
  const { folder, read, write } = shop;
  write("a.txt", "a");
  write("b.txt", "b");
  const capital = (name: string): Step => ({
    name,
    makes: `${name}.txt → build/${name}.txt`,
    inputs: () => [`${name}.txt`],
    outputs: [`build/${name}.txt`],
    run: () => {
      write(`build/${name}.txt`, read(`${name}.txt`).toUpperCase());
    },
  });
  const steps = {
    a: capital("a"),
    b: capital("b"),
    joined: {
      name: "joined",
      makes: "capitals → out",
      needs: ["a", "b"],
      inputs: () => ["build/a.txt", "build/b.txt"],
      outputs: ["out/"],
      run: () => {
        write("out/joined.txt", read("build/a.txt") + read("build/b.txt"));
      },
    } as Step,
    other: { ...capital("other"), inputs: () => [], outputs: [] },
  };
  const lines: string[] = [];
  const run = (...wanted: string[]): Promise<string[]> =>
    build(Object.values(steps), wanted.length > 0 ? wanted : ["joined"], { root: folder, report: (line) => lines.push(line) });
  return { ...shop, steps, lines, run };
}

describe("a step runs", () => {
  test("the first time, after the steps that it needs, and no other step does", async () => {
    const { run, read, path, lines } = capitals();
    expect(await run()).toEqual(["a", "b", "joined"]);
    expect(read("out/joined.txt")).toBe("AB");
    expect(existsSync(path("build/other.txt"))).toBe(false);
    expect(lines).toEqual([
      expect.stringMatching(/^a\.txt → build\/a\.txt … \d+\.\d s$/),
      expect.stringMatching(/^b\.txt → build\/b\.txt … /),
      expect.stringMatching(/^capitals → out … /),
    ]);
  });

  test("not again if nothing has changed, or only file times have, and then nothing is reported", async () => {
    const { run, path, lines } = capitals();
    await run();
    lines.length = 0;
    expect(await run()).toEqual([]);
    for (const file of ["a.txt", "build/a.txt", "out/joined.txt"]) utimesSync(path(file), new Date(), new Date(Date.now() + 5000));
    expect(await run()).toEqual([]);
    expect(lines).toEqual([]);
  });

  test("if its sources have changed; then so do the steps that read its outputs, if those have changed", async () => {
    const { run, read, write } = capitals();
    await run();
    write("b.txt", "c");
    expect(await run()).toEqual(["b", "joined"]);
    expect(read("out/joined.txt")).toBe("AC");
    write("b.txt", "C");
    expect(await run(), "the same capital").toEqual(["b"]);
  });

  test("if its settings or the list of its inputs have changed, or an input is gone", async () => {
    const { run, steps, write, path } = capitals();
    await run();
    steps.a = { ...steps.a, settings: () => ({ version: 2 }) };
    expect(await run()).toEqual(["a"]);
    steps.b = { ...steps.b, inputs: () => ["b.txt", "more.txt"] };
    expect(await run()).toEqual(["b"]);
    write("more.txt", "");
    expect(await run(), "it did not exist").toEqual(["b"]);
    rmSync(path("more.txt"));
    expect(await run()).toEqual(["b"]);
  });

  test("if an output is gone or is not what it wrote, or its folder holds something else", async () => {
    const { run, read, write, path } = capitals();
    await run();
    rmSync(path("build/a.txt"));
    expect(await run()).toEqual(["a"]);
    write("build/b.txt", "?");
    expect(await run()).toEqual(["b"]);
    expect(read("build/b.txt")).toBe("B");
    write("out/stale.txt", "of a source that is gone");
    expect(await run()).toEqual(["joined"]);
    rmSync(path("out"), { recursive: true });
    expect(await run()).toEqual(["joined"]);
    rmSync(path("build"), { recursive: true });
    expect(await run(), "the stamps are gone").toEqual(["a", "b", "joined"]);
  });

  test("again if it failed, even on sources that once worked; steps running in parallel end, and none is started", async () => {
    const { run, write, read, steps } = capitals();
    await run();
    const { run: works } = steps.a;
    write("a.txt", "x");
    write("b.txt", "y");
    steps.a.run = () => {
      write("build/a.txt", "half");
      throw new Error("a failed");
    };
    await expect(run()).rejects.toThrow(new Error("a failed"));
    expect(read("out/joined.txt"), "as it was").toBe("AB");
    steps.a.run = works;
    write("a.txt", "a");
    expect(await run()).toEqual(["a", "joined"]);
    expect(read("out/joined.txt")).toBe("AY");
  });

  test("again at once if its sources change while it runs, so that no stamp covers what it did not read", async () => {
    const { run, steps, write, read } = capitals();
    const { run: works } = steps.a;
    let times = 0;
    steps.a.run = () => {
      works();
      if (++times === 1) write("a.txt", "z");
    };
    await run();
    expect(times).toBe(2);
    expect(read("out/joined.txt")).toBe("ZB");
    steps.a.run = () => {
      works();
      write("a.txt", `${++times}`);
    };
    write("a.txt", "");
    await expect(run()).rejects.toThrow("a: its inputs changed each of the 3 times that it ran");
  });

  test("and fails if it does not write its outputs", async () => {
    const { run, steps } = capitals();
    steps.a.run = () => undefined;
    await expect(run()).rejects.toThrow("a did not write build/a.txt");
  });
});

test("a copy of a built tree is built", async () => {
  const { run, folder, steps } = capitals();
  await run();
  const { folder: copy } = workshop();
  cpSync(folder, copy, { recursive: true });
  expect(await build(Object.values(steps), ["joined"], { root: copy })).toEqual([]);
});

test("steps run in parallel, at most as many as there are jobs, and a notice is printed once", async () => {
  const { folder, write } = workshop();
  let running = 0;
  let most = 0;
  const steps = Array.from({ length: 5 }, (_, index): Step => ({
    name: `${index}`,
    makes: `${index}`,
    notice: "this takes a while",
    inputs: () => [],
    outputs: [`${index}.txt`],
    run: async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running--;
      write(`${index}.txt`, "");
    },
  }));
  const lines: string[] = [];
  const names = steps.map(({ name }) => name);
  await build(steps, names, { root: folder, jobs: 2, report: (line) => lines.push(line) });
  expect(most).toBe(2);
  expect(lines.filter((line) => line === "this takes a while")).toHaveLength(1);
});

test("steps that do not exist, or are listed before what they need, are named", async () => {
  const { run, steps, folder } = capitals();
  await expect(run("none")).rejects.toThrow('there is no step "none"; the steps are a, b, joined, other');
  await expect(build([steps.joined, steps.a, steps.b], ["joined"], { root: folder })).rejects.toThrow(
    "joined needs a, which is not listed before it",
  );
});

describe("two builds at once", () => {
  /** A process that builds one step, which takes a moment and fails if another one runs. */
  function builder(folder: string) {
    const text = `
      import { build } from ${JSON.stringify(pathToFileURL(join(root, "scripts/builder/engine.mjs")).href)};
      import { existsSync, rmSync, writeFileSync } from "node:fs";
      const step = { name: "slow", makes: "slow", inputs: () => [], outputs: ["build/slow.txt"], run: async () => {
        if (existsSync("alone")) throw new Error("two at once");
        writeFileSync("alone", "");
        console.log("begun");
        const end = Date.now() + Number(process.env.MS);
        while (Date.now() < end && !existsSync("enough")) await new Promise((resolve) => setTimeout(resolve, 10));
        rmSync("alone");
        writeFileSync("build/slow.txt", "");
      } };
      console.log(JSON.stringify(await build([step], ["slow"], { root: "./", report: (line) => console.log(line) })));`;
    const start = (milliseconds: number) => {
      const env = { ...process.env, MS: `${milliseconds}` };
      const child = spawn(process.execPath, ["--input-type=module", "-e", text], { cwd: folder, env });
      const output = { text: "" };
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (piece: string) => (output.text += piece));
      return { child, output, ended: once(child, "close") };
    };
    return start;
  }

  test("the second waits, and does not repeat what the first has done", async () => {
    const { folder } = workshop();
    const start = builder(folder);
    const first = start(60_000);
    while (!first.output.text.includes("begun")) await once(first.child.stdout, "data");
    const second = start(0);
    while (!second.output.text.includes("waiting")) await once(second.child.stdout, "data");
    writeFileSync(join(folder, "enough"), "");
    await Promise.all([first.ended, second.ended]);
    expect(first.output.text).toMatch(/^begun\nslow … .*\n\["slow"\]\n$/);
    expect(second.output.text).toBe(`waiting for process ${first.child.pid}, which is building here\n[]\n`);
  });

  test("a killed build is not waited for, and leaves nothing that counts as built", async () => {
    const { folder, path } = workshop();
    const start = builder(folder);
    const first = start(60_000);
    while (!first.output.text.includes("begun")) await once(first.child.stdout, "data");
    first.child.kill("SIGKILL");
    await first.ended;
    expect(existsSync(path("build/lock"))).toBe(true);
    rmSync(path("alone"));
    writeFileSync(path(`build/half.wasm.${first.child.pid}.new`), ""); // as a compiler would have left it
    const both = [start(10), start(10)];
    await Promise.all(both.map(({ ended }) => ended));
    expect(both.map(({ output }) => output.text.trim().split("\n").at(-1)).sort()).toEqual(['["slow"]', "[]"]);
    expect(readdirSync(path("build")).sort()).toEqual(["slow.txt", "stamps.json"]);
  });
});

describe("the sources of a binary", () => {
  test("are what its entry imports, at any depth, in statements, exports and calls", () => {
    const { folder, write } = workshop();
    write(
      "in/entry.ts",
      'import { a } from "./a";\nexport {\n  b\n} from "../b.js";\nimport "./folder";\nimport "node:fs";\nawait import("./d.js");',
    );
    write("in/a.ts", "import { c } from '../deep/er/c';");
    for (const file of ["b.ts", "deep/er/c.ts", "in/folder/index.ts", "in/d.ts", "in/unused.ts"]) write(file, "");
    expect(withImports(folder, ["in/entry.ts"]).sort()).toEqual(
      ["b.ts", "deep/er/c.ts", "in/a.ts", "in/d.ts", "in/entry.ts", "in/folder.ts", "in/folder/index.ts"].sort(),
    );
  });

  const inputsOf = (name: string): string[] => STEPS.find((step) => step.name === name)!.inputs();
  const assembly = readdirSync(join(root, "assembly"), { recursive: true, encoding: "utf8" })
    .map((file) => `assembly/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".ts"));

  test("cover every file of assembly/", () => {
    for (const name of ["debug", "simd", "relaxed", "wide"]) {
      // only the script that writes the ABI reads constants.ts
      const inputs = new Set([...inputsOf(name), ...inputsOf("attention-simd"), "assembly/abi/constants.ts"]);
      expect(assembly.filter((file) => !inputs.has(file))).toEqual([]);
    }
  });

  test("are fewer for attention alone, and for the ceilings", () => {
    const count = (name: string): number => inputsOf(name).filter((file) => assembly.includes(file)).length;
    expect(count("attention-simd")).toBeLessThan(count("simd") - 10);
    expect(count("ceilings-simd")).toBeLessThan(5);
  });
});

test("all targets exist, and the package needs neither the debug build nor programs nor ceilings", async () => {
  const names = STEPS.map(({ name }) => name);
  for (const target of Object.values(TARGETS)) expect(names).toEqual(expect.arrayContaining([...target]));
  const { folder } = workshop();
  const asked: string[] = [];
  const fakes = STEPS.map(({ name, needs }): Step => ({
    name,
    makes: name,
    inputs: () => [],
    outputs: [`${name}.txt`],
    ...(needs && { needs }),
    run: () => {
      asked.push(name);
      writeFileSync(join(folder, `${name}.txt`), "");
    },
  }));
  await build(fakes, TARGETS["dist"]!, { root: folder });
  expect(asked.sort()).toEqual(
    names.filter((name) => !["debug", "tools", "ceilings-simd", "ceilings-relaxed"].includes(name)).sort(),
  );
});
