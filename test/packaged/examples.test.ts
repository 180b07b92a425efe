/** With the packed package, the examples do what their READMEs say. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { installExamples, MODELS } from "../hosts/examples.js";
import { type Consumer, consumerIn } from "../hosts/install.js";

let consumer: Consumer;
beforeAll(async () => {
  consumer = await installExamples(inject("tarball"), ["onnx-attention"]);
});
afterAll(() => consumer.remove());

const run = async (name: string, ...args: string[]): Promise<string> =>
  (await consumer.run(process.execPath, `examples/${name}/main.mjs`, ...args)).stdout;

/** The program's message about wrong arguments. */
const complaint = async (name: string, ...args: string[]): Promise<string> => {
  try {
    await run(name, ...args);
    return "it ran";
  } catch (error) {
    return (error as Error).message;
  }
};

const numberAfter = (output: string, label: string): number =>
  Number(new RegExp(`${label}:? ([\\d.e+-]+)`).exec(output)?.[1]?.replace(/\.$/, ""));

describe("decode", () => {
  const SMALL = ["--layers", "2", "--embed", "32", "--heads", "4", "--vocabulary", "50", "--prompt", "7", "--tokens", "20"];

  test("tokens and logits with a cache equal those without, bit for bit", async () => {
    const output = await run("decode", ...SMALL);
    expect(output).toContain("tokens that differ: 0, logits: 0\n");
    expect(output).toMatch(/with caches: \d+ tokens\/s\nwithout: \d+ tokens\/s\n/);
    const tokens = output.trim().split("\n").at(-1)!.split(" ");
    expect(tokens).toHaveLength(27);
    expect(new Set(tokens.slice(7)).size, "the model says more than one word").toBeGreaterThan(3);
  });

  test("two threads decode the same tokens as one", async () => {
    const [one, two] = await Promise.all([run("decode", ...SMALL), run("decode", ...SMALL, "--threads", "2")]);
    const last = (output: string) => output.trim().split("\n").at(-1);
    expect(last(two)).toBe(last(one));
  });

  test.runIf(MODELS)(
    `a trained model tells its story${MODELS ? "" : ": not run, the models are absent; HEADWISE_MODELS can name their folder"}`,
    async () => {
      const folder = join(MODELS!, "stories260K");
      const files = ["--model", join(folder, "stories260K.bin"), "--tokenizer", join(folder, "tok512.bin")];
      const { text } = JSON.parse(readFileSync(join(folder, "expected-greedy.json"), "utf8")) as { text: string };
      const output = await run("decode", ...files, "--tokens", "150");
      expect(output).toContain("tokens that differ: 0, logits: 0\n");
      const [, story] = /logits: 0\n([^]*)\n$/.exec(output)!;
      expect(story!.length).toBeGreaterThan(300);
      expect(text.startsWith(story!.trim())).toBe(true);
    },
  );

  test.each([
    [["--tokens", "x"], "--tokens x: not a positive integer"],
    [["--embed", "20", "--heads", "3"], "--embed 20: not a multiple of twice --heads 3"],
    [["--toukens", "3"], "Unknown option '--toukens'"],
  ])("wrong arguments are named: %j", async (args, message) => {
    expect(await complaint("decode", ...args)).toContain(message);
  });
});

describe("onnx-attention", () => {
  test("the graph cut at its attention, with headwise in between, has the uncut graph's numbers within 1e-5", async () => {
    const output = await run("onnx-attention", "--rows", "33", "--embed", "48", "--heads", "6");
    expect(output).toMatch(/^33 rows of 48, 6 heads; build \w+, threads 1\ncut at Attention 13: 13 nodes before, 12 after\n/);
    expect(numberAfter(output, "largest difference")).toBeLessThan(1e-5);
    expect(numberAfter(output, "of numbers up to")).toBeGreaterThan(1);
    expect(output).toMatch(/milliseconds: uncut [\d.]+, cut [\d.]+, of which attention [\d.]+\n/);
  });

  test("both with two threads: onnxruntime and headwise work together", async () => {
    const output = await run("onnx-attention", "--rows", "33", "--embed", "48", "--heads", "6", "--threads", "2");
    expect(output).toContain("threads 2\n");
    expect(numberAfter(output, "largest difference")).toBeLessThan(1e-5);
  });

  test("wrong arguments are named", async () => {
    expect(await complaint("onnx-attention", "--heads", "7")).toContain("--embed 256: not a multiple of --heads 7");
  });
});

describe("transformer-block and long-context", () => {
  test("run", async () => {
    expect(await run("transformer-block", "--embed", "32", "--heads", "4", "--tokens", "9")).toContain(
      "bits that differ from one call on all tokens: 0\n",
    );
    const sizes = ["--keys", "300", "--heads", "4", "--kv-heads", "2", "--head-dim", "16", "--tokens", "3"];
    expect(numberAfter(await run("long-context", ...sizes), "largest difference")).toBeLessThan(1e-6);
  });
});

test("every example has a README that begins with its title and shows the command", () => {
  for (const { name } of readdirSync("examples", { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const readme = readFileSync(join("examples", name, "README.md"), "utf8");
    expect(readme, name).toMatch(/^# \S/);
    expect(readme, name).toContain(`    npm run example -- ${name}`);
    expect(readFileSync("examples/README.md", "utf8"), name).toContain(`[${name}](${name})`);
  }
});

const hasGit = existsSync(".git");
test.runIf(hasGit)(
  `a fresh clone needs one command${hasGit ? "" : ": not run, this is not a clone"}`,
  { timeout: 600_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "headwise-clone-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { encoding: "utf8" }).trim().split("\n");
    for (const file of files) if (existsSync(file)) cpSync(file, join(folder, file));
    expect(existsSync(join(folder, "node_modules"))).toBe(false);
    const clone = consumerIn(folder, 500_000);
    const example = async (...args: string[]): Promise<string> =>
      (await clone.run("npm", "run", "--silent", "example", "--", ...args)).stdout;
    expect(await example()).toContain("npm run example -- decode             Decoding with a KV cache");
    const decoded = await example("decode", "--layers", "1", "--embed", "32", "--tokens", "4");
    expect(decoded).toContain("tokens that differ: 0, logits: 0\n");
    expect(numberAfter(await example("onnx-attention", "--rows", "9"), "largest difference")).toBeLessThan(1e-5);
    expect(await example("transformer-block", "--embed", "32", "--heads", "4", "--tokens", "9")).toContain("differ from one call");
    const sizes = ["--keys", "300", "--heads", "4", "--kv-heads", "2", "--head-dim", "16", "--tokens", "3"];
    expect(numberAfter(await example("long-context", ...sizes), "largest difference")).toBeLessThan(1e-6);

    for (const [name, path, text] of [
      ["service", "/health", "build"],
      ["page", "/", "<canvas"],
    ] as const) {
      const server = spawn(process.execPath, ["scripts/example.mjs", name, "--port", "0"], { cwd: folder }); // the script behind the command
      onTestFinished(() => void server.kill("SIGKILL"));
      let output = "";
      const ended = once(server, "close");
      server.stdout.setEncoding("utf8").on("data", (piece: string) => (output += piece));
      while (!/http:\S+/.test(output)) await Promise.race([once(server.stdout, "data"), ended]);
      const answer = await fetch(new URL(path, /http:\S+/.exec(output)![0]));
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining(text)]);
      server.kill("SIGINT");
      await ended;
    }
  },
);
