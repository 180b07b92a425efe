/** The kernels as files, `headwise/wasm/*`, for callers that supply the module. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { obtain } from "../hosts/hosts.js";
import { type Consumer, install } from "../hosts/install.js";

/** Node 20 does not validate relaxed SIMD. */
const newer = await obtain("Node 24");

let consumer: Consumer;
beforeAll(async () => {
  consumer = await install(inject("tarball"), "raw-wasm");
});
afterAll(() => consumer.remove());

/** The output of main.mjs. */
interface Answer {
  imports: [string, number];
  links: { shared: boolean; unshared: boolean };
  engine: { build: string; threads: number; threadsReason?: string };
  error: number;
}

const answerOf = async (node: string, ...args: readonly string[]): Promise<Answer> =>
  JSON.parse((await consumer.run(node, "main.mjs", ...args)).stdout) as Answer;
const answer = (...args: readonly string[]): Promise<Answer> => answerOf(process.execPath, ...args);

const BOUND = 2e-6;
const UNSHARED = 'the module in "wasm" was compiled for memory that threads cannot share';

test.each(["simd", "attention-simd"])(
  `%s.wasm as a module: its memory is not shared, and attention is right within ${BOUND}`,
  async (name) => {
    const { imports, links, engine, error } = await answer(name, "module", "1");
    expect(imports).toEqual(["memory", 0]);
    expect(links).toEqual({ shared: false, unshared: true });
    expect(engine).toEqual({ build: "simd", threads: 1 });
    expect(error).toBeLessThan(BOUND);
  },
);

if (newer.reason !== undefined) test.skip(`relaxed.wasm and attention-relaxed.wasm, not run: ${newer.reason}`);
else {
  test.each(["relaxed", "attention-relaxed"])(`%s.wasm as a module, on ${newer.name}`, async (name) => {
    const { links, engine, error } = await answerOf(newer.executable, name, "module", "1");
    expect(links).toEqual({ shared: false, unshared: true });
    expect(engine).toEqual({ build: "relaxed", threads: 1 });
    expect(error).toBeLessThan(BOUND);
  });
}

test("a module with two threads: one thread, and the reason", async () => {
  const { engine, error } = await answer("attention-simd", "module", "2");
  expect(engine).toEqual({ build: "simd", threads: 1, threadsReason: UNSHARED });
  expect(error).toBeLessThan(BOUND);
});

test.each(["bytes", "url"])("%s with two threads: two threads", async (kind) => {
  const { engine, error } = await answer("attention-simd", kind, "2");
  expect(engine).toEqual({ build: "simd", threads: 2 });
  expect(error).toBeLessThan(BOUND);
});
