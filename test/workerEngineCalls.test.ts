/** Calls of engines in a worker: their order, signals that abort them, arrays that are copied or moved, places for results. */
import { describe, expect, test } from "vitest";
import { ResultEncoder } from "../src/workerEngine/encodeResult.js";
import { Objects } from "../src/workerEngine/objects.js";
import { normal } from "./support/random.js";
import { attend, bitsIn, busy, here, large, open, shared, truth, x } from "./support/workerEngines.js";

describe("order and signals", () => {
  test("calls are made in order, awaited or not", async () => {
    const settled: string[] = [];
    const cache = await shared.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const calls = [busy(shared), cache.append(x, x), cache.length, cache.append(x, x), cache.length];
    const results = await Promise.all(
      calls.map((call, index) => (call as Promise<unknown>).finally(() => settled.push(`${index}`))),
    );
    expect([results[2], results[4]]).toEqual([5, 10]);
    expect(settled).toEqual(["0", "1", "2", "3", "4"]);
    await cache.dispose();
  });

  /** A signal that counts its listeners. */
  function counted() {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof remove;
    return { controller, signal, listeners: () => listeners };
  }

  test("already aborted: the call is not made, and nothing is read or moved", async () => {
    const { controller, signal, listeners } = counted();
    const reason = { any: "thing" };
    controller.abort(reason);
    const cache = await shared.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const k = normal([1, 5, 2, 8], 3);
    await expect(cache.append(k, k, { signal, transfer: true })).rejects.toBe(reason);
    expect([await cache.length, k.data.length, listeners()]).toEqual([0, 80, 0]);
    await cache.dispose();
  });

  test("one signal for many calls has one listener", async () => {
    const { controller, signal, listeners } = counted();
    const before = busy(shared);
    const calls = Array.from({ length: 20 }, () => attend(shared, { signal }));
    expect(listeners()).toBe(1);
    const settled = Promise.allSettled(calls);
    controller.abort("enough");
    expect((await settled).every((each) => each.status === "rejected" && each.reason === "enough")).toBe(true);
    await before;
    expect(listeners()).toBe(0);
  });

  test("aborted while it waits: the call is not made, later ones are", async () => {
    const { controller, signal, listeners } = counted();
    const cache = await shared.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const before = busy(shared);
    const waiting = cache.append(x, x, { signal });
    const after = cache.append(x, x);
    controller.abort();
    await expect(waiting).rejects.toBe(signal.reason);
    await Promise.all([before, after]);
    expect([await cache.length, listeners()]).toEqual([5, 0]);
    await cache.dispose();
  });

  test("aborted while it runs: rejected at once, and the result is dropped", async () => {
    const { controller, signal, listeners } = counted();
    const out = { data: new Float32Array(large.data.length).fill(7), dims: large.dims };
    let isNextDone = false;
    const running = busy(shared, { out, signal });
    const next = attend(shared).finally(() => (isNextDone = true));
    await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(new Error("enough"));
    await expect(running).rejects.toThrow("enough");
    expect(isNextDone).toBe(false);
    expect(bitsIn(await next)).toEqual(bitsIn(truth));
    expect(out.data.every((value) => value === 7)).toBe(true);
    expect(listeners()).toBe(0);
  });

  test("aborted while it runs: an object that it creates is freed", async () => {
    const engine = await open();
    const { controller, signal } = counted();
    const making = engine.tensor([1000], "float32", { signal });
    controller.abort();
    await expect(making).rejects.toBe(signal.reason);
    expect((await engine.info).memory.inUse).toBe(0);
  });

  test("a signal that is never aborted is left alone, after results and after errors", async () => {
    const { signal, listeners } = counted();
    await attend(shared, { signal });
    await expect(shared.rmsNorm(x, { eps: -1, signal })).rejects.toThrow(RangeError);
    await shared.packMatrix({ data: new Float32Array(4), dims: [2, 2] }, { signal } as never);
    expect(listeners()).toBe(0);
  });
});

describe("arrays", () => {
  test("are read before the call returns, each getter once", async () => {
    const reads: string[] = [];
    const data = x.data.slice();
    const spy = <T extends object>(name: string, object: T): T =>
      new Proxy(object, {
        get: (target, key) => (reads.push(`${name}.${String(key)}`), Reflect.get(target, key, target) as unknown),
      });
    const result = shared.scaledDotProductAttention(
      spy("q", { data, dims: x.dims }),
      x,
      x,
      spy("options", { causal: false, keyLengths: [5], signal: new AbortController().signal }),
    );
    data.fill(NaN);
    const names = reads.filter((name) => /\.(data|dims|causal|keyLengths|signal)$/.test(name));
    expect(names.sort()).toEqual(["options.causal", "options.keyLengths", "options.signal", "q.data", "q.dims"]);
    expect(bitsIn(await result)).toEqual(bitsIn(truth));
  });

  test("are copied: of a view only its part is sent, and the caller's arrays stay unchanged", async () => {
    const whole = new Float32Array(1000).fill(NaN);
    const data = whole.subarray(500, 580);
    data.set(x.data);
    expect(bitsIn(await shared.scaledDotProductAttention({ data, dims: x.dims }, x, x))).toEqual(bitsIn(truth));
    expect([whole.length, x.data.length]).toEqual([1000, 80]);
  });

  test("dataSync and float16", async () => {
    const half = { data: new Uint16Array(80).fill(0x3c00), dims: x.dims, type: "float16" };
    const sync = { shape: x.dims, dataSync: () => x.data };
    const expected = here.scaledDotProductAttention(half, sync, sync);
    expect(bitsIn(await shared.scaledDotProductAttention(half, sync, sync))).toEqual(bitsIn(expected));
    expect(bitsIn(await shared.scaledDotProductAttention(half, sync, sync, { transfer: true }))).toEqual(bitsIn(expected));
    expect([half.data.length, x.data.length]).toEqual([0, 80]); // the caller may not transfer what dataSync returned
  });

  test("transfer moves them, even one that is passed twice; lists are not moved", async () => {
    const [a, b] = [normal([1, 5, 2, 8], 1), normal([1, 5, 2, 8], 1)];
    const keyLengths = Int32Array.of(5);
    const again = { data: new Float32Array(b.data.buffer), dims: b.dims };
    const result = shared.scaledDotProductAttention(a, b, again, { transfer: true, keyLengths });
    expect([a.data.length, b.data.length, again.data.length, keyLengths.length]).toEqual([0, 0, 0, 1]);
    expect(bitsIn(await result)).toEqual(bitsIn(truth));
    const bytes = await (await shared.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 })).serialize();
    await shared.restoreKVCache(bytes, { transfer: true });
    expect(bytes.length).toBe(0);
  });

  test("transfer of a part of a buffer is refused, and nothing is moved", async () => {
    const q = normal([1, 5, 2, 8], 1);
    const k = { data: new Float32Array(100).subarray(0, 80), dims: q.dims };
    await expect(shared.scaledDotProductAttention(q, k, k, { transfer: true })).rejects.toEqual(
      new RangeError(
        'scaledDotProductAttention: argument 2 is a view of 320 of its buffer\'s 400 bytes, and "transfer" would move all of them; copy it first',
      ),
    );
    expect([q.data.length, k.data.length]).toEqual([80, 80]);
  });

  test("transfer of a place's buffer is refused, and so is transfer of a buffer that cannot be moved", async () => {
    const own = normal([1, 5, 2, 8], 1);
    await expect(shared.scaledDotProductAttention(own, x, x, { out: own, transfer: true })).rejects.toEqual(
      new RangeError(
        'scaledDotProductAttention: "out" lies in a buffer that "transfer" moves, expected one that stays for the results',
      ),
    );
    expect(own.data.length).toBe(80);
    const memory = new WebAssembly.Memory({ initial: 1 });
    const data = new Float32Array(memory.buffer);
    const refusal = await shared
      .rmsNorm({ data, dims: [data.length] }, { transfer: true })
      .catch((error: unknown) => error as Error);
    if (refusal instanceof Error) expect(refusal.message).toMatch(/^rmsNorm: "transfer" cannot move these arrays \(/);
    expect(data.length).toBe(16384); // Node makes a copy
  });

  test("in shared memory are neither copied nor moved, not even as places", async () => {
    const shareOf = (data: Float32Array) => {
      const copy = new Float32Array(new SharedArrayBuffer(data.byteLength + 16), 16, data.length);
      copy.set(data);
      return copy;
    };
    const q = { data: shareOf(x.data.map(() => 0)), dims: x.dims };
    const out = { data: shareOf(x.data), dims: x.dims };
    const before = busy(shared);
    const result = shared.scaledDotProductAttention(q, x, x, { out, transfer: false });
    q.data.set(x.data); // while it waits
    await before;
    expect(await result).toBe(out);
    expect(bitsIn(out.data.slice())).toEqual(bitsIn(truth.data));
    expect(await shared.scaledDotProductAttention(q, q, q, { out, transfer: true })).toBe(out);
    expect(q.data.length).toBe(80);
  });

  test("results have their own buffers, even if an operation returns a part of one or a view of shared memory", async () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    const shareable = new Float32Array(new SharedArrayBuffer(8)).fill(7);
    const encoder = new ResultEncoder(new Objects(here, "Engine"), new Map(), undefined);
    encoder.encode([whole, whole.subarray(1, 3), shareable]);
    expect(encoder.buffers.map((buffer) => [...new Float32Array(buffer)])).toEqual([
      [1, 2, 3, 4],
      [2, 3],
      [7, 7],
    ]);
    expect(encoder.buffers.every((buffer) => buffer instanceof ArrayBuffer)).toBe(true);
    const { data } = await attend(shared);
    expect(data.byteLength).toBe(data.buffer.byteLength);
    const image = await (await shared.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 })).serialize();
    expect(image.byteLength).toBe(image.buffer.byteLength);
  });

  test("places receive results when the promise is fulfilled, in views as well", async () => {
    const whole = new Float32Array(100).fill(7);
    const out = { data: whole.subarray(10, 90), dims: x.dims };
    const result = shared.scaledDotProductAttention(x, x, x, { out });
    expect(whole.every((value) => value === 7)).toBe(true);
    expect(await result).toBe(out);
    expect(bitsIn(out.data)).toEqual(bitsIn(truth.data));
    expect([whole[9], whole[90]]).toEqual([7, 7]);
  });

  test("lists of a tensor may be any that have a length", async () => {
    const x = { data: Float32Array.of(1, 1, 0, 3, 3), dims: { 0: 2, 1: 2, length: 2 }, strides: { 0: 3, 1: 1, length: 2 } };
    const out = { data: new Float32Array(5), dims: [2, 2], strides: { 0: 3, 1: 1, length: 2 } };
    await shared.softmax(x, { out });
    expect([...out.data]).toEqual([0.5, 0.5, 0, 0.5, 0.5]);
  });

  test("a place that overlaps an operand, and one that is read first", async () => {
    const q = normal([1, 5, 2, 8], 1);
    expect(await shared.scaledDotProductAttention(q, q, q, { out: q })).toBe(q);
    expect(bitsIn(q.data)).toEqual(bitsIn(truth.data));
    const square = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
    const out = { data: Float32Array.of(10, 20, 30, 40), dims: [2, 2] };
    await shared.matmul(square, square, { out, accumulate: true });
    expect([...out.data]).toEqual([17, 30, 45, 62]);
  });

  test("a place that is read holds the results of earlier calls, even if they were not awaited", async () => {
    const square = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
    const out = { data: Float32Array.of(10, 20, 30, 40), dims: [2, 2] };
    await Promise.all([1, 2, 3].map(() => shared.matmul(square, square, { out, accumulate: true })));
    expect([...out.data]).toEqual([31, 50, 75, 106]);
  });

  test("a place that is read but detached before its call is an Error", async () => {
    const square = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
    const out = { data: new Float32Array(4), dims: [2, 2] };
    const before = busy(shared);
    const result = shared.matmul(square, square, { out, accumulate: true });
    structuredClone(out.data, { transfer: [out.data.buffer] });
    await expect(result).rejects.toEqual(new Error('matmul: "out" holds 0 elements when its call is made, expected 4'));
    await before;
  });

  test("options that are inherited, or not enumerable, are read as an engine here reads them", async () => {
    class Options {
      get causal(): boolean {
        return true;
      }
      get aboutNothing(): string {
        return "an option that nobody knows, and nobody looks for";
      }
      describe(): string {
        return "a method";
      }
    }
    const hidden = Object.defineProperty({}, "causal", { value: true });
    const expected = bitsIn(here.scaledDotProductAttention(x, x, x, { causal: true }).data);
    expect(expected).not.toEqual(bitsIn(truth.data));
    for (const options of [new Options(), Object.create({ causal: true }) as object, hidden])
      expect(bitsIn((await shared.scaledDotProductAttention(x, x, x, options)).data)).toEqual(expected);
    const signal = AbortSignal.abort("too late");
    await expect(shared.scaledDotProductAttention(x, x, x, Object.create({ signal }) as object)).rejects.toBe("too late");
  });

  test("a place that is detached before the results arrive is an Error, and no other is filled", async () => {
    const out = { data: new Float32Array(80), dims: x.dims };
    const logSumExp = { data: new Float32Array(10), dims: [1, 2, 5] };
    const result = shared.scaledDotProductAttention(x, x, x, { out, logSumExp });
    structuredClone(logSumExp.data, { transfer: [logSumExp.data.buffer] });
    await expect(result).rejects.toEqual(
      new Error('scaledDotProductAttention: "logSumExp" holds 0 elements when its results arrive, expected 10'),
    );
    expect(out.data.every((value) => value === 0)).toBe(true);
    expect(bitsIn(await attend(shared))).toEqual(bitsIn(truth));
  });

  test("a call that fails leaves its places unchanged", async () => {
    const out = { data: new Float32Array(80).fill(7), dims: x.dims };
    await expect(shared.scaledDotProductAttention(x, x, x, { out, scale: NaN })).rejects.toThrow(RangeError);
    expect(out.data.every((value) => value === 7)).toBe(true);
  });

  test("a plan does not write to places, and refuses those that overlap", async () => {
    const out = { data: new Float32Array(80).fill(7), dims: x.dims };
    await shared.planAttention(x, x, x, { out });
    expect(out.data.every((value) => value === 7)).toBe(true);
    const logSumExp = { data: out.data.subarray(70), dims: [1, 2, 5] };
    await expect(shared.planAttention(x, x, x, { out, logSumExp })).rejects.toThrow('"out" and "logSumExp" overlap');
  });

  test("tensors of another engine count as arrays", async () => {
    const tensor = here.tensor([1, 5, 2, 8]);
    tensor.data.set(x.data);
    expect(bitsIn(await shared.scaledDotProductAttention(tensor, x, x))).toEqual(bitsIn(truth));
  });
});
