/** Every message of the library, in a file that a person can read through: `npm run messages` writes it. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";
import { openBuild } from "./support/builds.js";
import { descriptors } from "./support/descriptors.js";
import { attention } from "./messages/attention.js";
import { choices } from "./messages/choices.js";
import { engines } from "./messages/engines.js";
import { layers } from "./messages/layers.js";
import type { Groups, Provoke } from "./messages/provoke.js";
import { rows } from "./messages/rows.js";
import { scores } from "./messages/scores.js";
import { stores } from "./messages/stores.js";
import { UNREACHED } from "./messages/unreached.js";

const src = fileURLToPath(new URL("../src/", import.meta.url));
const engine = openBuild("simd");

/** Options by the names that other libraries have, one for each answer. */
async function foreignNames(): Promise<Groups> {
  const { readOptions } = await import("../src/call/readOptions.js");
  const cases = (await descriptors()).flatMap((known) =>
    Object.entries(known.foreign ?? {}).flatMap(([answer, names]): [string, Provoke][] => {
      const option = /^(\w+)(?:,|$)/.exec(answer)?.[1];
      if (option !== undefined && !known.options.includes(option)) return []; // an answer for others that share the table
      const first = names.split(" ").find((name) => !known.options.includes(name));
      return [[`${known.name}: ${names.replaceAll(" ", ", ")}`, () => readOptions(known, { [first ?? `my${names}`]: 1 })]];
    }),
  );
  return { "Options by the names of other libraries, in lower case": Object.fromEntries(cases) };
}

const groups: Groups = {
  ...attention(engine),
  ...choices(engine),
  ...scores(engine),
  ...rows(engine),
  ...stores(engine),
  ...layers(engine),
  ...engines,
  ...(await foreignNames()),
};

interface Message {
  readonly label: string;
  readonly text: string;
  readonly stack: string;
}

/** What depends on the machine. */
const plainly = (text: string): string =>
  text
    .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:80")
    .replace(/(WebAssembly\.\w+\(\)): .*?(?=\)$)/, "$1: …")
    .replace(/(ABI is 1, expected )\d+/, "$1…")
    .replace(/needs \d+ bytes of memory/, "needs … bytes of memory")
    .replace(/the \d+ that static/, "the … that static")
    .replace(/of headwise \d+\.\d+\.\d+, expected \d+\.\d+\.\d+/, "of headwise 0.0.9, expected …");

async function messageOf(label: string, provoke: Provoke): Promise<Message> {
  try {
    await provoke();
  } catch (error) {
    const { name, message, stack } = error as Error;
    return { label, text: plainly(name === "Reason" ? message : `${name}: ${message}`), stack: stack ?? "" };
  }
  return { label, text: "nothing is refused", stack: "" };
}

const { stackTraceLimit } = Error;
Error.stackTraceLimit = 100;
const messages = new Map<string, Message[]>();
for (const [title, cases] of Object.entries(groups)) {
  const found: Message[] = [];
  for (const [label, provoke] of Object.entries(cases)) found.push(await messageOf(label, provoke));
  messages.set(title, found);
}
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

const INTRODUCTION = `Every message of the library, by what is wrong with a call. \`npm run messages\` writes this file.
A message names the argument, what was expected, with its arithmetic, and what came.
`;

test("the messages are those that stand in messages.txt", async () => {
  const sections = [...messages].map(([title, list]) =>
    [title, "=".repeat(title.length), ...list.map(({ label, text }) => `\n${label}\n    ${text}`), ""].join("\n"),
  );
  await expect([INTRODUCTION, ...sections].join("\n")).toMatchFileSnapshot("messages/messages.txt");
});

const all = [...messages.values()].flat();

test("each call is refused, and by the library", () => {
  const unnamed = all.filter(({ text, stack }) => text === "nothing is refused" || (stack === "" && !text.includes(":")));
  expect(unnamed.map(({ label, text }) => `${label}: ${text}`)).toEqual([]);
});

/** Where errors are made: throw statements, and calls of the three makers. */
describe("nothing in the sources is left out", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".ts") && !/^(reference|baseline|runtime\/binary)\/|generated/.test(file));
  const MAKERS = ["wrongKind", "wrongValue", "wrongMoment"];
  const reached = new Set<string>();
  for (const { stack } of all) for (const [, at] of stack.matchAll(/\/src\/([^:)]+\.ts:\d+):\d+/g)) reached.add(at!);

  const sites: { readonly name: string; readonly isReached: boolean; readonly text: string }[] = [];
  const texts = new Map<string, string>();
  for (const file of files) {
    const source = ts.createSourceFile(file, readFileSync(src + file, "utf8"), ts.ScriptTarget.Latest, true);
    const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line + 1;
    const visit = (node: ts.Node): void => {
      const isMaker = ts.isCallExpression(node) && ts.isIdentifier(node.expression) && MAKERS.includes(node.expression.text);
      const isThrow = ts.isThrowStatement(node) && !ts.isIdentifier(node.expression) && !ts.isAsExpression(node.expression);
      if (isMaker || isThrow) {
        const [first, last] = [lineOf(node.getStart()), lineOf(node.getEnd())];
        const lines = Array.from({ length: last - first + 1 }, (_, index) => `${file}:${first + index}`);
        sites.push({ name: `${file}:${first}`, isReached: lines.some((line) => reached.has(line)), text: node.getText() });
      }
      if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
        const isName = ts.isImportDeclaration(node.parent) || ts.isExportDeclaration(node.parent);
        const isForeign = ts.isPropertyAssignment(node.parent) && node.parent.initializer === node && isForeignTable(node);
        const isAnswer = ts.isPropertyAssignment(node.parent) && node.parent.name === node;
        const text = isAnswer ? node.text.replace(/^(\w+),/, '"$1",') : node.text; // as the message quotes it
        if (!isName && !isForeign && /[a-z]{2,}[,;:]? [a-z]{2,}/.test(text)) texts.set(text, `${file}:${lineOf(node.getStart())}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }

  const isExcused = (text: string): boolean => Object.keys(UNREACHED).some((part) => text.includes(part));

  test("every place that makes an error is reached, or says why not", () => {
    expect(sites.length).toBeGreaterThan(200);
    expect(
      sites.filter(({ isReached, text }) => !isReached && !isExcused(text)).map(({ name, text }) => `${name} ${text}`),
    ).toEqual([]);
  });

  test("every text stands in a message, or says why not", () => {
    const snapshot = all.map(({ text }) => text).join("\n");
    expect(texts.size).toBeGreaterThan(200);
    const missing = [...texts].filter(([text]) => !snapshot.includes(text) && !isExcused(text));
    expect(missing.map(([text, at]) => `${at} ${text}`)).toEqual([]);
  });

  test("no excuse is out of date", () => {
    const all = [...sites.map(({ text }) => text), ...texts.keys()].join("\n");
    expect(Object.keys(UNREACHED).filter((part) => !all.includes(part))).toEqual([]);
  });
});

/** Whether a text is in a table of names of other libraries. */
function isForeignTable(node: ts.Node): boolean {
  for (let at = node.parent as ts.Node | undefined; at; at = at.parent as ts.Node | undefined) {
    const name = (ts.isVariableDeclaration(at) || ts.isPropertyAssignment(at)) && at.name.getText();
    if (name && /^foreign$|FOREIGN|_NAMES$/.test(name)) return true;
  }
  return false;
}
