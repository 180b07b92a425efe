/** The packed package in projects' tests: Jest as it comes, and Vitest, in each of their environments. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Consumer, install } from "../hosts/install.js";

/** What both runners report as JSON. */
interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

/** The tests that did not pass, after the messages; and the number of those that did. */
function outcomeOf(stdout: string): { failed: string[]; passed: number } {
  const { testResults } = JSON.parse(stdout) as Report;
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const isFailure = ({ status }: { status: string }): boolean => status !== "passed";
  const messages = testResults.map(({ message }) => message).filter((message) => message !== "");
  return { failed: [...messages, ...all.filter(isFailure).map(({ title }) => title)], passed: all.length };
}

/** Test cases of the shared file, and those of copies. */
const [CASES, COPIES] = [11, 2];

describe.each<[string, Record<string, { args: string[]; cases: number }>]>([
  [
    "jest",
    Object.fromEntries(
      ["node", "jsdom"].map((name) => [name, { args: ["jest", "--json", "--selectProjects", name], cases: CASES + COPIES }]),
    ),
  ],
  [
    "vitest",
    Object.fromEntries(
      ["jsdom", "happy-dom"].map((name) => [
        name,
        { args: ["vitest", "run", "--globals", "--reporter=json", "--environment", name], cases: CASES },
      ]),
    ),
  ],
])("%s", (runner, environments) => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await install(inject("tarball"), "runners", runner);
  });
  afterAll(() => consumer.remove());

  test.each(Object.entries(environments))("in the environment %s", async (_, { args, cases }) => {
    const { stdout } = await consumer.run("npx", "--no-install", ...args);
    expect(outcomeOf(stdout)).toEqual({ failed: [], passed: cases });
  });
});
