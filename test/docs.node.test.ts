/** The examples in documents and doc comments run, and print what their comments say. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { format } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CLASSES } from "../src/workerEngine/methods.js";
import { publicOperations } from "./support/publicOperations.js";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

interface Example {
  name: string;
  code: string;
}

const pageExamples = (): Example[] =>
  ["docs/guide.md", "docs/long-context.md"].flatMap((page) =>
    [...read(page).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code], index) => ({ name: `${page} ${index + 1}`, code: code! })),
  );

/** The lines of each `@example` up to the end of the comment, without their stars. */
const commentExamples = (): Example[] =>
  readdirSync(new URL("src", root), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) =>
      [...read(`src/${file}`).matchAll(/@example\n(.*?)\n *\*\//gs)].map(([, lines], index) => ({
        name: `src/${file} ${index + 1}`,
        code: lines!.replace(/^ *\* ?/gm, ""),
      })),
    );

const compact = (text: string): string => text.replace(/\s+/g, "");

describe.each([...pageExamples(), ...commentExamples()])("$name", ({ name, code }) => {
  afterEach(() => vi.restoreAllMocks());

  test("runs, and prints what its comments say", async () => {
    mkdirSync(new URL("build/examples", root), { recursive: true });
    const file = new URL(`build/examples/${name.replace(/\W+/g, "-")}.ts`, root);
    writeFileSync(file, code);
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => {
      printed.push(format(...values));
    });
    await import(/* @vite-ignore */ file.pathname);

    const promised = [...code.matchAll(/console\.log\(.*\);(?: \/\/ (.*))?$/gm)].map(([, comment]) => comment);
    expect(printed.length, "an example prints something").toBeGreaterThan(0);
    expect(printed.length).toBe(promised.length);
    for (const [index, comment] of promised.entries()) {
      expect(comment, "each line that prints says what").toBeDefined();
      expect(comment!.split(" or ").map(compact)).toContain(compact(printed[index]!));
    }
  });
});

test("every function and method that the package offers has an example", () => {
  const examples = [...pageExamples(), ...commentExamples()].map(({ code }) => code).join("\n");
  const offered = publicOperations(["src/index.ts", "src/sync.ts"]).map((name) => name.replace(/^(?!KVCache\.restore)\w+\./, "."));
  const inWorkers = Object.values(CLASSES).flatMap(({ methods }) => Object.keys(methods).map((name) => `.${name}`));
  for (const name of new Set([...offered, ...inWorkers])) expect(examples, name).toContain(`${name}(`);
  expect(examples).toMatch(/from "headwise\/reference"/);
  expect(examples).toMatch(/from "headwise\/baseline"/);
});

test("the README's first screen has both commands", () => {
  const screen = read("README.md").split("\n").slice(0, 24).join("\n");
  expect(screen).toContain("npm ci && npm start");
  expect(screen).toContain("npm ci && npm test");
});

test("the README has at most 160 lines, and its code and commands at most 80 columns", () => {
  const lines = read("README.md").trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(160);
  const blocks = read("README.md").match(/^```[^]*?^```$|^ {4}.*$/gm)!;
  expect(blocks.length).toBeGreaterThan(3);
  for (const line of blocks.join("\n").split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
});

/** The anchor that GitHub makes from a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

test("links between documents lead to files and headings that exist", () => {
  const pages = [
    "README.md",
    "CHANGELOG.md",
    "examples/README.md",
    ...["docs", "docs/decisions"].flatMap((folder) => markdownIn(folder)),
    ...readdirSync(new URL("examples", root), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `examples/${name}/README.md`),
  ];
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, link] of read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const { pathname, hash } = new URL(link!, new URL(page, root));
      const isThere = existsSync(pathname);
      const anchors = pathname.endsWith(".md") && isThere ? headingsOf(pathname) : [];
      if (!isThere || (hash && !anchors.includes(decodeURIComponent(hash.slice(1))))) broken.push(`${page}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
});

test("every decision has the same headings, and the index names it by its title", () => {
  const index = read("docs/decisions/README.md");
  for (const file of markdownIn("docs/decisions").filter((name) => !name.endsWith("README.md"))) {
    const text = read(file);
    const [, number, title] = /^# (\d+)\. (.*)$/m.exec(text)!;
    const name = file.split("/").at(-1)!;
    expect(name, file).toMatch(new RegExp(`^${number!.padStart(4, "0")}-`));
    expect(
      [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading),
      file,
    ).toEqual(["Context", "Decision", "Consequence", "Numbers"]);
    expect(index).toContain(`| [${number}](${name}) | ${title} |`);
  }
});

const markdownIn = (folder: string): string[] =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);

const headingsOf = (pathname: string): string[] =>
  [...readFileSync(pathname, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

test("every file of tests that docs/hosts.md names exists", () => {
  const table = read("docs/hosts.md").split("## What is tested")[1]!;
  const named = [...table.matchAll(/ \| ([^|]+) \|$/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([\w.]+)`/g)].map(([, name]) => name!),
  );
  expect(named.length).toBeGreaterThan(15);
  for (const name of named) expect(existsSync(new URL(`test/packaged/${name}.test.ts`, root)), name).toBe(true);
});
