/** The example service with its clients: concurrent, slow, disconnected, wrong and too large. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { scaledDotProductAttention as reference } from "../../src/reference/index.js";
import { installExamples } from "../hosts/examples.js";
import type { Consumer } from "../hosts/install.js";
import { normal, type TestTensor } from "../support/random.js";

let consumer: Consumer;
beforeAll(async () => {
  consumer = await installExamples(inject("tarball"));
});
afterAll(() => consumer.remove());

interface Running {
  readonly origin: string;
  readonly child: ChildProcess;
  /** Everything that it has printed so far. */
  output: string;
}

const running: Running[] = [];
afterEach(() => {
  for (const { child } of running.splice(0)) child.kill("SIGKILL");
});

async function start(...options: string[]): Promise<Running> {
  const child = spawn(process.execPath, ["examples/service/main.mjs", "--port", "0", ...options], { cwd: consumer.folder });
  const service = { child, origin: "", output: "" };
  running.push(service);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (service.output += text));
  }
  const ended = once(child, "close");
  while (!service.output.includes("\n")) await Promise.race([once(child.stdout, "data"), ended]);
  const origin = /^listening at (http:\S+)/.exec(service.output)?.[1];
  if (origin === undefined) throw new Error(service.output);
  return Object.assign(service, { origin });
}

interface Call {
  q: TestTensor;
  k: TestTensor;
  v: TestTensor;
  options?: { causal?: boolean };
}

const calls = (seed: number): Call => {
  const [q, k, v] = [0, 1, 2].map((each) => normal([1, 5, 2, 8], 3 * seed + each)) as [TestTensor, TestTensor, TestTensor];
  return { q, k, v, options: { causal: true } };
};
const truthOf = ({ q, k, v, options }: Call) => reference(q, k, v, options).data;

/** A call with zeros as queries: every row is the mean of the values, here 3. The time is proportional to rows². */
const longCall = (rows: number): Call => {
  const filled = (value: number): TestTensor => ({ data: new Float32Array(rows * 4).fill(value), dims: [rows, 4] });
  return { q: filled(0), k: filled(1), v: filled(3) };
};

const json = (value: unknown): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value, (_, each: unknown) => (each instanceof Float32Array ? [...each] : each)),
});

function binary({ q, k, v, options }: Call): RequestInit {
  const text = JSON.stringify({ q: q.dims, k: k.dims, v: v.dims, options });
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const body = Buffer.concat([length, header, ...[q, k, v].map(({ data }) => Buffer.from(data.buffer))]);
  return { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body };
}

const ask = (service: Running, request: RequestInit): Promise<Response> => fetch(`${service.origin}/attention`, request);
const errorOf = async (response: Response): Promise<string> => ((await response.json()) as { error: string }).error;

async function resultOf(response: Response): Promise<{ data: Float32Array; dims: number[] }> {
  expect(response.status).toBe(200);
  if (response.headers.get("Content-Type") === "application/json") {
    const { data, dims } = (await response.json()) as { data: number[]; dims: number[] };
    return { data: Float32Array.from(data), dims };
  }
  const bytes = Buffer.from(await response.arrayBuffer());
  const start = 4 + bytes.readUInt32LE(0);
  const { dims } = JSON.parse(bytes.toString("utf8", 4, start)) as { dims: number[] };
  return { data: new Float32Array(Uint8Array.from(bytes.subarray(start)).buffer), dims };
}

const largestError = (found: Float32Array, truth: Float64Array): number => {
  expect(found.length).toBe(truth.length);
  return found.reduce((most, x, index) => Math.max(most, Math.abs(x - truth[index]!)), 0);
};
const BOUND = 1e-6;

const health = async (service: Running) =>
  (await (await fetch(`${service.origin}/health`)).json()) as { status: string; running: number; waiting: number };

/** Waits until these numbers of jobs are running and waiting. */
async function busy(service: Running, running: number, waiting: number): Promise<void> {
  for (;;) {
    const state = await health(service);
    if (state.running === running && state.waiting === waiting) return;
    await sleep(5);
  }
}

describe("results", () => {
  test(`match the reference within ${BOUND}, with the same bits as JSON and in binary`, async () => {
    const service = await start();
    const call = calls(1);
    const [asText, asBytes] = await Promise.all([
      resultOf(await ask(service, json(call))),
      resultOf(await ask(service, binary(call))),
    ]);
    expect(asText.dims).toEqual([1, 5, 2, 8]);
    expect(largestError(asText.data, truthOf(call))).toBeLessThanOrEqual(BOUND);
    expect(asBytes).toEqual(asText);
  });

  test("of 60 concurrent requests go to the right clients", async () => {
    const service = await start("--waiting", "60", "--timeout", "60000");
    const all = Array.from({ length: 60 }, (_, seed) => calls(seed));
    const errors = await Promise.all(
      all.map(async (call, index) => {
        const { data } = await resultOf(await ask(service, index % 2 ? json(call) : binary(call)));
        return largestError(data, truthOf(call));
      }),
    );
    expect(Math.max(...errors)).toBeLessThanOrEqual(BOUND);
    expect(await health(service)).toMatchObject({ status: "ok", running: 0, waiting: 0 });
  });
});

describe("limits", () => {
  test("requests beyond the queue's capacity get 503 and Retry-After, the others their results", async () => {
    const service = await start("--waiting", "2", "--timeout", "100000");
    const first = ask(service, binary(longCall(20_000)));
    await busy(service, 1, 0);
    const responses = await Promise.all(Array.from({ length: 6 }, (_, seed) => ask(service, json(calls(seed)))));
    const refused = responses.filter(({ status }) => status === 503);
    expect(refused).toHaveLength(4);
    for (const response of refused) {
      expect(response.headers.get("Retry-After")).toBe("1");
      expect(await errorOf(response)).toBe("2 requests are waiting already");
    }
    for (const [seed, response] of responses.entries()) {
      if (response.status !== 200) continue;
      expect(largestError((await resultOf(response)).data, truthOf(calls(seed)))).toBeLessThanOrEqual(BOUND);
    }
    expect((await resultOf(await first)).data.every((x) => Math.abs(x - 3) < 1e-5)).toBe(true);
    expect((await ask(service, json(calls(7)))).status).toBe(200);
  });

  test("a call that takes too long gets 504, and the next one is computed", async () => {
    const service = await start("--timeout", "2000");
    const response = await ask(service, binary(longCall(150_000)));
    expect([response.status, await errorOf(response)]).toEqual([504, "no result within 2000 ms"]);
    for (let tries = 0; tries < 50; tries++) {
      const next = await ask(service, json(calls(2)));
      if (next.status === 504) continue; // a slow machine may not have its new thread yet
      expect(largestError((await resultOf(next)).data, truthOf(calls(2)))).toBeLessThanOrEqual(BOUND);
      return;
    }
    expect.fail("the service did not recover");
  });

  test("a client that sends too slowly gets 408, while others are served", async () => {
    const service = await start("--timeout", "2000");
    const socket = connect(Number(new URL(service.origin).port), "localhost");
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    socket.on("error", () => undefined); // a drip may meet a closed connection, after the answer
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write('POST /attention HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"q":');
    const drip = setInterval(() => socket.write(" "), 100);
    expect((await ask(service, json(calls(3)))).status).toBe(200);
    await closed;
    clearInterval(drip);
    expect(answer).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
    expect(await health(service)).toMatchObject({ status: "ok", running: 0, waiting: 0 });
  });

  test("clients that disconnect lose their place in the queue, and no one else does", async () => {
    const service = await start("--waiting", "8", "--timeout", "100000");
    const first = ask(service, binary(longCall(20_000)));
    await busy(service, 1, 0);
    const gone = new AbortController();
    const lost = [1, 2, 3].map((seed) =>
      ask(service, { ...json(calls(seed)), signal: gone.signal }).catch((error: unknown) => (error as Error).name),
    );
    await busy(service, 1, 3);
    const stays = ask(service, json(calls(4)));
    await busy(service, 1, 4);
    gone.abort();
    expect(await Promise.all(lost)).toEqual(["AbortError", "AbortError", "AbortError"]);
    expect(largestError((await resultOf(await stays)).data, truthOf(calls(4)))).toBeLessThanOrEqual(BOUND);
    expect((await first).status).toBe(200);
    expect(await health(service)).toMatchObject({ running: 0, waiting: 0 });
  });

  test("a client may disconnect while its call runs: the thread ends with it", async () => {
    const service = await start("--timeout", "100000");
    const gone = new AbortController();
    const lost = ask(service, { ...binary(longCall(300_000)), signal: gone.signal }).catch(
      (error: unknown) => (error as Error).name,
    );
    await busy(service, 1, 0);
    gone.abort();
    expect(await lost).toBe("AbortError");
    expect((await ask(service, json(calls(5)))).status).toBe(200);
  });

  test("bodies beyond the limit get 413, announced or not", async () => {
    const service = await start("--body-bytes", "2000");
    const announced = await ask(service, json(calls(1)));
    expect([announced.status, await errorOf(announced)]).toEqual([413, "the body is larger than 2000 bytes"]);
    for (let tries = 0; tries < 20; tries++) {
      const body = new ReadableStream({
        async start(controller) {
          for (let index = 0; index < 30; index++) {
            controller.enqueue(new TextEncoder().encode(" ".repeat(100)));
            if (index % 7 === 0) await sleep(1); // some of it comes after the answer
          }
          controller.close();
        },
      });
      const request = { method: "POST", headers: { "Content-Type": "application/json" }, body, duplex: "half" };
      const unannounced = await ask(service, request);
      expect([unannounced.status, await errorOf(unannounced)]).toEqual([413, "the body is larger than 2000 bytes"]);
    }
    expect((await health(service)).status).toBe("ok");
  });

  test("a result larger than the memory is the client's mistake, not a crash", async () => {
    const service = await start("--memory-bytes", String(2 ** 26));
    const tensor = (...dims: number[]) => ({ data: new Float32Array(dims[0]! * dims[1]!).fill(1), dims });
    const response = await ask(service, binary({ q: tensor(20_000, 1), k: tensor(1, 1), v: tensor(1, 20_000) }));
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatch(
      /^scaledDotProductAttention: needs \d+ bytes of memory, but info\.memory\.limit is 67108864$/,
    );
    expect((await ask(service, json(calls(6)))).status).toBe(200);
  });
});

describe("wrong requests", () => {
  const x = { dims: [2, 1], data: [1, 2] };
  const header = (text: string, ...numbers: number[]): Buffer<ArrayBuffer> => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(text.length);
    return Buffer.concat([bytes, Buffer.from(text), Buffer.from(Float32Array.from(numbers).buffer)]);
  };
  const SIZES = '{"q":[1,1],"k":[1,1],"v":[1,1]}'.padEnd(32);

  const WRONG: [what: string, path: string, request: RequestInit, status: number, error: string][] = [
    ["not JSON", "/attention", { ...json(0), body: '{"q":' }, 400, "the body is not JSON: "],
    ["not an object", "/attention", json([1]), 400, "the body must be an object"],
    ["no tensor", "/attention", json({ q: x, k: x }), 400, '"v" must be { "dims": […], "data": […] }'],
    [
      "data that are not numbers",
      "/attention",
      json({ q: { dims: [1], data: ["1"] }, k: x, v: x }),
      400,
      '"q.data" must be an array of numbers',
    ],
    [
      "dims that are not sizes",
      "/attention",
      json({ q: { dims: [-1], data: [] }, k: x, v: x }),
      400,
      'the dims of "q" must be an array of sizes',
    ],
    [
      "lengths that do not match",
      "/attention",
      json({ q: { dims: [3, 1], data: [1] }, k: x, v: x }),
      400,
      'scaledDotProductAttention: "q" holds 1 element, expected 3 × 1 = 3',
    ],
    [
      "shapes that do not match",
      "/attention",
      json({ q: { dims: [1, 2], data: [1, 2] }, k: x, v: x }),
      400,
      'scaledDotProductAttention: "k" has headDim 1, expected 2 (q has dims [1, 2])',
    ],
    [
      "an unknown option",
      "/attention",
      json({ q: x, k: x, v: x, options: { casual: true } }),
      400,
      'scaledDotProductAttention: unknown option "casual"',
    ],
    ["options that are not an object", "/attention", json({ q: x, k: x, v: x, options: 3 }), 400, '"options" must be an object'],
    ["a binary body without a header", "/attention", { ...binary(calls(1)), body: "x" }, 400, "the body ends before its header"],
    [
      "a header longer than the body",
      "/attention",
      { ...binary(calls(1)), body: Buffer.from([0, 1, 0, 0]) },
      400,
      "the body has 4 bytes, and its header alone should have 260",
    ],
    [
      "a header that is not padded",
      "/attention",
      { ...binary(calls(1)), body: header("{}") },
      400,
      "the header must be padded to a multiple of four bytes, got 2",
    ],
    [
      "too few numbers",
      "/attention",
      { ...binary(calls(1)), body: header(SIZES, 1, 2) },
      400,
      "8 bytes of numbers follow the header, expected 4 · (1 + 1 + 1) = 12",
    ],
    ["another path", "/", {}, 404, "there is no /; POST /attention, GET /health"],
    ["a path that is not a URL", "//", {}, 404, "there is no //"],
    ["another method", "/attention", {}, 405, "/attention takes POST, got GET"],
    [
      "another type",
      "/attention",
      { method: "POST", body: "x" },
      415,
      "a call comes as application/json or application/octet-stream, got text/plain",
    ],
  ];

  test("get a status and a reason, and leave the service unchanged", async () => {
    const service = await start();
    for (const [what, path, request, status, error] of WRONG) {
      const response = await fetch(`${service.origin}${path}`, request);
      expect([what, response.status]).toEqual([what, status]);
      expect(await errorOf(response), what).toContain(error);
      expect(response.headers.get("Allow"), what).toBe(status === 405 ? "POST" : null);
    }
    expect((await ask(service, json(calls(1)))).status).toBe(200);
    expect(service.output.trim().split("\n")).toHaveLength(1);
  });
});

describe("the end", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("%s finishes accepted calls, refuses new ones, and exits with 0", async (signal) => {
    const service = await start("--timeout", "100000");
    const runs = ask(service, binary(longCall(20_000)));
    await busy(service, 1, 0);
    const waits = ask(service, json(calls(9)));
    await busy(service, 1, 1);
    const ended = once(service.child, "exit");
    service.child.kill(signal);
    while (!service.output.includes(signal)) await sleep(5);
    await expect(fetch(`${service.origin}/health`)).rejects.toThrow("fetch failed");
    expect((await resultOf(await runs)).data.every((x) => Math.abs(x - 3) < 1e-5)).toBe(true);
    expect(largestError((await resultOf(await waits)).data, truthOf(calls(9)))).toBeLessThanOrEqual(BOUND);
    expect(await ended).toEqual([0, null]);
    expect(service.output).toMatch(/finished\n$/);
  });

  test("a port in use is reported", async () => {
    const { origin } = await start();
    const port = new URL(origin).port;
    await expect(start("--port", port)).rejects.toThrow(/^listen EADDRINUSE.*\n\nnpm run example -- service/);
    expect(running.at(-1)!.child.exitCode).toBe(2);
  });
});
