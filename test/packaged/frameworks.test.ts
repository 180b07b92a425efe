/** Engines and what they make, kept in the state of frameworks that wrap it in proxies: they work as they do outside. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Consumer, install } from "../hosts/install.js";

type Numbers = Record<string, string>;

const FRAMEWORKS = [
  "Vue, reactive",
  "Vue, readonly",
  "Vue, ref",
  "MobX, observable",
  "MobX, makeAutoObservable",
  "Valtio, proxy",
  "Valtio, snapshot",
  "Svelte, $state",
];

let consumer: Consumer;
let found: { expected: Numbers; report: Record<string, Numbers> };
beforeAll(async () => {
  consumer = await install(inject("tarball"), "frameworks");
  found = JSON.parse((await consumer.run(process.execPath, "check.mjs")).stdout) as typeof found;
});
afterAll(() => consumer.remove());

test("the numbers without a framework are numbers", () => {
  expect(Object.keys(found.expected).length).toBe(10);
  for (const [use, numbers] of Object.entries(found.expected)) expect(numbers, use).toMatch(/^[-\d. e]+$/);
});

test.each(FRAMEWORKS)("%s", (framework) => {
  expect(found.report[framework]).toEqual(found.expected);
});
