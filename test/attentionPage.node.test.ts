/** docs/attention.md: every call of its table exists, has a reference, a test and a program that shows it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ATTENTION_OPTIONS } from "../src/attention/options.js";
import { FORWARD } from "../src/multiHead/forwardOptions.js";
import * as reference from "../src/reference/index.js";
import { publicOperations } from "./support/publicOperations.js";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const page = read("docs/attention.md");

/** Functions, and methods without their class. */
const operations = new Set(publicOperations(["src/index.ts"]).map((name) => name.split(".").at(-1)!));
const options = new Set([...ATTENTION_OPTIONS, ...FORWARD.options]);

/** Properties of options that are objects of their own, such as the parameters of a score: they have a comment, and a type. */
const source = readdirSync(new URL("src", root), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !/binary|reference/.test(file))
  .map((file) => read(`src/${file}`))
  .join("\n");
const isProperty = (name: string): boolean => new RegExp(`^ +(?:/\\*\\*.*)?\\*/\\n +${name}\\??: `, "m").test(source);

const isKnown = (name: string): boolean => operations.has(name) || options.has(name) || isProperty(name);
const has = (text: string, name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);

/** The cells of a row. */
const rows = [
  ...page.split("## Where everything is\n")[1]!.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm),
]
  .filter(([, mechanism]) => !/^(mechanism|-+)$/.test(mechanism!))
  .map(([, mechanism, call, referenceName, testLink, labLink]) => ({
    mechanism: mechanism!,
    calls: [...call!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    referenceNames: [...referenceName!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    testFile: pathOf(testLink!),
    labFile: pathOf(labLink!),
  }));

/** The path of a link in docs/, from the root. */
function pathOf(link: string): string {
  const path = /\]\(\.\.\/([^)]+)\)/.exec(link)?.[1];
  expect(path, link).toBeDefined();
  return path!;
}

test("the table has the mechanisms of the page", () => {
  expect(rows.length).toBeGreaterThan(30);
  expect(new Set(rows.map(({ mechanism }) => mechanism)).size).toBe(rows.length);
});

describe.each(rows)("$mechanism", ({ calls, referenceNames, testFile, labFile }) => {
  const subject = calls.at(-1)!;

  test("its call exists", () => {
    expect(operations).toContain(calls[0]);
    for (const name of calls) expect(isKnown(name), name).toBe(true);
  });

  test("its reference exists", () => {
    expect(referenceNames.length).toBeGreaterThan(0);
    for (const name of referenceNames) expect(reference).toHaveProperty(name);
  });

  test("its test and its program are about it", () => {
    for (const file of [testFile, labFile]) expect(existsSync(new URL(file, root)), file).toBe(true);
    const isOfLab = testFile.endsWith("lab.test.ts");
    const [name] = labFile.split("/").at(-1)!.split(".");
    expect(has(read(testFile), isOfLab ? name! : subject), `${testFile}: ${isOfLab ? name! : subject}`).toBe(true);
    expect(has(read(labFile), subject), `${labFile}: ${subject}`).toBe(true);
  });
});

test("every call in the page's code exists", () => {
  const code = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, lines]) => lines!).join("\n");
  const called = [...code.matchAll(/(?<![\w])(?:(?:engine|layer|cache)\.)?(\w+)\(/g)].map(([, name]) => name!);
  expect(called.length).toBeGreaterThan(20);
  for (const name of called) expect(operations).toContain(name);
});

test("every experiment is in the page, and so is every picture", () => {
  const listed = [...read("examples/lab/README.md").matchAll(/^\| \[([\w-]+)\]/gm)].map(([, name]) => name!);
  for (const name of listed) expect(page, name).toContain(`(../examples/lab/${name}.mjs)`);
  for (const file of readdirSync(new URL("docs/pictures", root))) expect(page, file).toContain(`(pictures/${file})`);
});
