/** The packed package in Node, Deno and Bun, with `import` and with `require`, compared with the reference. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { HOSTS, obtain } from "../hosts/hosts.js";
import { type Consumer, install } from "../hosts/install.js";
import { type CheckResult, expectRight, printReport } from "./check.js";

let consumer: Consumer;
beforeAll(async () => {
  consumer = await install(inject("tarball"), "check.mjs", "node");
});
afterAll(() => {
  consumer.remove();
  printReport();
});

/** Node 20 and 22 warn that `require` of a module is experimental. */
const isNotice = (line: string): boolean => line.includes("ExperimentalWarning") || line.includes("--trace-warnings");

const wanted = HOSTS.filter((name) => name !== "workerd");
for (const host of await Promise.all(wanted.map(obtain))) {
  if (host.reason !== undefined) {
    test.skip(`not run: ${host.name}, which is not available here (${host.reason})`);
    continue;
  }
  const { name, version, executable } = host;

  /** Deno gets no permissions, except for `require`, which looks for files at run time. */
  const flagsFor = (file: string): string[] =>
    name === "Deno" ? ["run", "--no-prompt", "--no-remote", ...(file.endsWith(".cjs") ? ["--allow-read"] : [])] : [];

  const run = async (file: string, options: object = {}): Promise<CheckResult> => {
    const { stdout, stderr } = await consumer.run(executable, ...flagsFor(file), file, JSON.stringify(options));
    const complaints = stderr.split("\n").filter((line) => line !== "" && !isNotice(line));
    expect(complaints).toEqual([]);
    return expectRight(`${name} (${version}) ${file} ${JSON.stringify(options)}`, JSON.parse(stdout));
  };

  describe(`${name} (${version})`, () => {
    // Relaxed SIMD dates from 2023: of these hosts only Node 20 does not validate it.
    const build = name === "Node 20" ? "simd" : "relaxed";

    test(`import: all operations equal the reference, build ${build}`, async () => {
      expect(await run("main.mjs")).toMatchObject({ build, threads: 1 });
    });

    test("import: the entry for attention equals the reference", async () => {
      expect(await run("main.mjs", { entry: "attention" })).toMatchObject({ build, threads: 1 });
    });

    test("import: two threads have the bits of one", async () => {
      const two = await run("main.mjs", { threads: 2 });
      expect(two.threads, two.threadsReason).toBe(2);
      expect(two.bits).toBe((await run("main.mjs")).bits);
    });

    test("require: all operations equal the reference, on two threads", async () => {
      expect(await run("main.cjs", { threads: 2 })).toMatchObject({ build, threads: 2 });
    });

    test("import and require in one program give one copy of the package", async () => {
      const flags = name === "Deno" ? [...flagsFor("both.mjs"), "--allow-read"] : [];
      expect((await consumer.run(executable, ...flags, "both.mjs")).stdout.trim()).toBe("true");
    });

    test("require: all operations by headwise/sync equal the reference", async () => {
      expect(await run("sync.cjs")).toMatchObject({ build, threads: 1 });
    });
  });
}
