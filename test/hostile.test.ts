/** Hostile arguments, which must neither end nor hang the process: each is refused by name, or has no effect. */
import { describe, expect, test } from "vitest";
import {
  andMasks,
  causalMask,
  createWorkerEngine,
  documentMask,
  type WorkerEngine,
  multiHeadFromTorch,
  paddingMask,
  type TensorLike,
  type WorkerEngineOptions,
} from "headwise";
import { openBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const engine = openBuild("simd");
const MANY = 2 ** 30;
const empty = (...dims: number[]) => ({ data: new Float32Array(0), dims });
const x = normal([1, 5, 2, 8], 1);
const attend = (options: object, q: TensorLike = x): unknown => engine.scaledDotProductAttention(q, x, x, options);
const layerOf = (config: object = {}, parameters: object = {}) => {
  const matrix = normal([8, 8], 2);
  const all = { q: matrix, k: matrix, v: matrix, out: matrix, ...parameters };
  return engine.createMultiHeadAttention({ embedDim: 8, numHeads: 2, ...config }, all);
};

/** The call throws an error of that class, made by the library, and the engine still works. */
function refuses(call: () => unknown, Kind: new (message: string) => Error, message: string): void {
  const { inUse } = engine.info.memory;
  expect(call).toThrow(new Kind(message));
  expect(engine.info.memory.inUse).toBe(inUse);
}

describe("sizes whose product is not a safe integer", () => {
  const huge = [...Array<number>(35).fill(MANY), 0];
  const shown = `[${huge.join(", ")}]`;
  const problem = (name: string): string => `"${name}" ${shown} is too large: the product of its sizes exceeds 2⁵³`;

  test("are refused wherever the sizes come from, whether or not one of them is 0", () => {
    refuses(() => engine.tensor(huge), RangeError, `tensor: ${problem("dims")}`);
    refuses(
      () => engine.tensor([2 ** 27, 2 ** 27]),
      RangeError,
      `tensor: "dims" [134217728, 134217728] is too large: the product of its sizes exceeds 2⁵³`,
    );
    const tensor = engine.tensor([0]);
    refuses(() => tensor.reshape(huge), RangeError, `reshape: ${problem("dims")}`);
    tensor.dispose();
    refuses(() => engine.softmax(empty(...huge)), RangeError, `softmax: ${problem("x.dims")}`);
    refuses(() => engine.softmax(x, { out: empty(...huge) }), RangeError, `softmax: ${problem("out.dims")}`);
    refuses(
      () => attend({ mask: { data: new Uint8Array(0), dims: huge } }),
      RangeError,
      `scaledDotProductAttention: ${problem("mask.dims")}`,
    );
    refuses(() => andMasks({ data: new Uint8Array(0), dims: huge }), RangeError, `andMasks: ${problem("masks[0].dims")}`);
    refuses(
      () => engine.matmul(empty(2 ** 20, 1, 2 ** 20, 0), empty(1, 2 ** 20, 0, 2 ** 20)),
      RangeError,
      'matmul: "out" [1048576, 1048576, 1048576, 1048576] is too large: the product of its sizes exceeds 2⁵³',
    );
  });

  test("do not make later tensors of a small engine overlap", () => {
    expect(() => engine.tensor(huge)).toThrow(RangeError);
    const [a, b] = [engine.tensor([4]), engine.tensor([4])];
    a.data.fill(1);
    b.data.fill(2);
    expect([...a.data, ...b.data]).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
    a.dispose();
    b.dispose();
  });
});

describe("empty batches: no object is made for each sequence", () => {
  const none = empty(MANY, 0, 1, 1);

  test("attention, its plan, linear attention", () => {
    expect(engine.scaledDotProductAttention(none, none, none).dims).toEqual(none.dims);
    expect(engine.scaledDotProductAttention(none, none, none, { causal: true, queryOffset: 3 }).data.length).toBe(0);
    expect(engine.planAttention(none, none, none)).toEqual({ threads: 1, scratchBytes: 0 });
    expect(engine.linearAttention(none, none, none).dims).toEqual(none.dims);
    expect(engine.linearAttention(none, none, none, { causal: true }).dims).toEqual(none.dims);
  });

  test("options are checked nevertheless", () => {
    refuses(
      () => engine.scaledDotProductAttention(none, none, none, { queryOffset: 0.5 }),
      RangeError,
      'scaledDotProductAttention: "queryOffset" must be an integer from -536870912 to 536870912, got 0.5',
    );
    refuses(
      () => engine.scaledDotProductAttention(none, none, none, { keyLengths: [1] }),
      RangeError,
      `scaledDotProductAttention: "keyLengths" holds 1 element, expected ${MANY}, one for each sequence`,
    );
  });

  test("layers, with and without extra keys", () => {
    for (const config of [{}, { addZeroAttention: true }, { rotary: {} }, { rotary: {}, addZeroAttention: true }]) {
      const layer = layerOf(config);
      expect(layer.forward(empty(MANY, 0, 8)).dims).toEqual([MANY, 0, 8]);
      expect(() => layer.projectKeys(empty(MANY, 0, 8))).toThrow(
        'MultiHeadAttention.projectKeys: "batchSize" must be an integer from 1 to 1048576',
      );
      layer.dispose();
    }
  });

  test("rotary, whichever size is 0", () => {
    for (const dims of [
      [MANY, 1, 0, 2],
      [1, MANY / 2, 0, 2],
      [MANY, 0, 1, 2],
      [0, MANY / 2, 1, 2],
    ]) {
      expect(engine.rotary(empty(...dims)).dims).toEqual(dims);
    }
    refuses(
      () => engine.rotary(empty(2, 3, 0, 2), { offset: -1 }),
      RangeError,
      'rotary: "offset" must be an integer from 0 to 536870909, got -1',
    );
  });

  test("softmax, norms, activations, merging, masks, products", () => {
    expect(engine.softmax(empty(MANY, 0, MANY / 256)).data.length).toBe(0);
    expect(engine.rmsNorm(empty(MANY, 0)).data.length).toBe(0);
    expect(engine.activate(empty(MANY, 0), "relu").data.length).toBe(0);
    expect(engine.mergeAttention([{ out: none, logSumExp: empty(MANY, 1, 0) }]).dims).toEqual(none.dims);
    expect(causalMask(MANY, 0).data.length).toBe(0);
    expect(causalMask(0, MANY).data.length).toBe(0);
    expect(engine.matmul(empty(MANY, 0, 1), empty(MANY, 1, 0)).dims).toEqual([MANY, 0, 0]);
    const packed = engine.packMatrix(empty(MANY, 0));
    expect(engine.matmul(empty(0, MANY), packed).dims).toEqual([0, 0]);
    packed.dispose();
  });

  test("a product of depth 0, or broadcast over many matrices", () => {
    const bias = { data: Float32Array.of(3), dims: [1] };
    expect(engine.matmul(empty(2 ** 18, 1, 0), empty(2 ** 18, 0, 1), { bias }).data.every((y) => y === 3)).toBe(true);
    const [a, b] = [{ data: new Float32Array(2 ** 8).fill(2), dims: [2 ** 8, 1, 1, 1] }, normal([2 ** 8, 1, 1], 3)];
    const product = engine.matmul(a, b);
    expect(product.dims).toEqual([2 ** 8, 2 ** 8, 1, 1]);
    for (const index of [0, 1, 2 ** 8 + 5, 2 ** 16 - 1]) expect(product.data[index]).toBe(2 * b.data[index % 2 ** 8]!);
  });
});

describe("endless lists", () => {
  const endless = new Proxy([], { get: (_, name) => (name === "length" ? 2 ** 32 - 1 : 0) });
  const sparse = new Array<number>(2 ** 32 - 1);

  test("are refused by their length", () => {
    const all = 4294967295;
    refuses(
      () => attend({ cuSeqlensQ: endless }),
      RangeError,
      `scaledDotProductAttention: "cuSeqlensQ" has length ${all}, expected an integer from 0 to 1048577`,
    );
    refuses(
      () => attend({ cuSeqlensQ: { length: Infinity } }),
      RangeError,
      'scaledDotProductAttention: "cuSeqlensQ" has length Infinity, expected an integer from 0 to 1048577',
    );
    for (const length of [-1, 0.5]) {
      const message = `scaledDotProductAttention: "cuSeqlensQ" has length ${length}, expected an integer from 0 to 1048577`;
      refuses(() => attend({ cuSeqlensQ: { length } }), RangeError, message);
    }
    refuses(
      () => attend({ keyLengths: { length: NaN } }),
      RangeError,
      'scaledDotProductAttention: "keyLengths" has length NaN, expected an integer from 0 to 16777216',
    );
    refuses(
      () => attend({}, { data: x.data, dims: endless }),
      RangeError,
      `scaledDotProductAttention: "q.dims" has length ${all}, expected an integer from 0 to 64`,
    );
    refuses(() => engine.tensor(sparse), RangeError, `tensor: "dims" has length ${all}, expected an integer from 0 to 64`);
    refuses(
      () => andMasks({ data: new Uint8Array(1), dims: sparse }),
      RangeError,
      `andMasks: "masks[0].dims" has length ${all}, expected an integer from 0 to 64`,
    );
    refuses(
      () => paddingMask(endless, 1),
      RangeError,
      `paddingMask: "lengths" has length ${all}, expected an integer from 0 to 16777216`,
    );
    refuses(
      () => documentMask(endless),
      RangeError,
      `documentMask: "documentIds" has length ${all}, expected an integer from 0 to 16777216`,
    );
    refuses(
      () => engine.mergeAttention(endless),
      RangeError,
      `mergeAttention: "parts" has length ${all}, expected an integer from 0 to 65536`,
    );
    const layer = layerOf();
    refuses(
      () => layer.pruneHeads(endless),
      RangeError,
      `MultiHeadAttention.pruneHeads: "heads" has length ${all}, expected an integer from 0 to 16777216`,
    );
    layer.dispose();
  });
});

describe("an object that only claims to be an array", () => {
  const tagged = { [Symbol.toStringTag]: "Uint8Array", length: MANY };

  test("is refused by its actual kind", () => {
    const problem = '"bytes" must be a Uint8Array, got an object of kind Uint8Array';
    refuses(() => engine.restoreKVCache(tagged as never), TypeError, `restoreKVCache: ${problem}`);
    refuses(() => engine.restoreLinearAttentionState(tagged as never), TypeError, `restoreLinearAttentionState: ${problem}`);
    const disguised = Object.setPrototypeOf(new Uint16Array(80), Float32Array.prototype) as Float32Array;
    expect(() => attend({}, { data: disguised, dims: x.dims })).toThrow('"q.data" must be a Float32Array');
    refuses(
      () => attend({}, { data: x.data, dims: new DataView(new ArrayBuffer(8)) as unknown as number[] }),
      TypeError,
      'scaledDotProductAttention: "q.dims" must be an array of sizes, got an object of kind DataView',
    );
  });

  test("a proxied typed array is not a typed array", () => {
    const proxied = new Proxy(new Uint8Array(4), {});
    refuses(
      () => andMasks({ data: proxied, dims: [4] }),
      TypeError,
      'andMasks: "masks[0].data" must be an array of integers or booleans, other than 0 where a query may attend, got an object',
    );
    refuses(() => engine.restoreKVCache(proxied), TypeError, 'restoreKVCache: "bytes" must be a Uint8Array, got an object');
    expect(() => attend({}, { data: new Proxy(x.data, {}), dims: x.dims })).toThrow('"q.data" must be a Float32Array');
    expect(() => attend({}, { data: x.data, dims: new Proxy(Int32Array.from(x.dims), {}) })).toThrow(
      '"q.dims" must be an array of sizes',
    );
  });
});

describe("revoked proxies", () => {
  const { proxy, revoke } = Proxy.revocable<never>([] as never, {});
  revoke();
  const CALLS: Record<string, () => unknown> = {
    "as a tensor": () => attend({}, proxy),
    "as its data": () => attend({}, { data: proxy, dims: [1] }),
    "as its sizes": () => attend({}, { data: x.data, dims: proxy }),
    "as options": () => attend(proxy),
    "as a list": () => attend({ keyLengths: proxy }),
    "as a window": () => attend({ window: proxy }),
    "as a number": () => attend({ scale: proxy }),
    "as a word": () => attend({ layout: proxy }),
    "as out": () => attend({ out: proxy }),
    "as positions": () => engine.rotary(x, { positions: proxy }),
    "as tables": () => engine.rotary(x, { tables: proxy }),
    "as parts": () => engine.mergeAttention(proxy),
    "as a part": () => engine.mergeAttention([proxy]),
    "as bytes": () => engine.restoreKVCache(proxy),
    "as a config": () => engine.createMultiHeadAttention(proxy, { out: x }),
    "as parameters": () => engine.createMultiHeadAttention({ embedDim: 8, numHeads: 1 }, proxy),
    "as a state dict": () => multiHeadFromTorch(proxy, { numHeads: 1 }),
    "as gates": () => layerOf({ headGates: proxy }),
    "as a norm": () => layerOf({ qkNorm: proxy }),
    "as a mask": () => andMasks(proxy),
    "as a mask's data": () => andMasks({ data: proxy, dims: [1] }),
    "as documents": () => documentMask(proxy),
    "as a matrix": () => engine.matmul(x, proxy),
    "as a cache's options": () => engine.createKVCache(proxy),
    "as a layer's cache": () => {
      const layer = layerOf();
      try {
        return layer.forward(normal([1, 2, 8], 1), { cache: proxy });
      } finally {
        layer.dispose();
      }
    },
  };
  test.each(Object.entries(CALLS))("%s", (_, call) => {
    const { inUse } = engine.info.memory;
    expect(call).toThrow(/^[\w.]+: .*(got|is) a revoked proxy|must be a tensor/);
    expect(engine.info.memory.inUse).toBe(inUse);
  });
});

describe("side effects of the caller's arrays", () => {
  const own = () => openBuild("simd");

  test("neither `out`'s own `set` nor any other own property is called", () => {
    const expected = engine.scaledDotProductAttention(x, x, x).data;
    const disposing = own();
    const data = new Float32Array(80);
    const dispose = (): never => {
      disposing.dispose();
      throw new Error("called");
    };
    for (const name of ["set", "subarray", "slice"]) Object.defineProperty(data, name, { value: dispose });
    for (const name of ["length", "buffer", "byteOffset", "byteLength", "BYTES_PER_ELEMENT"])
      Object.defineProperty(data, name, { get: dispose });
    disposing.scaledDotProductAttention(x, x, x, { out: { data, dims: x.dims } });
    expect(Float32Array.from({ length: 80 }, (_, index) => data[index]!)).toEqual(expected);
    disposing.dispose();
  });

  test("a feature function that detaches the arrays of the call, or ends the engine", () => {
    const [q, k] = [normal([1, 5, 2, 8], 4), normal([1, 5, 2, 8], 5)];
    refuses(
      () =>
        engine.linearAttention(q, k, x, {
          featureMap: (y) => {
            if (k.data.byteLength > 0) structuredClone(k.data.buffer, { transfer: [k.data.buffer as ArrayBuffer] });
            return y;
          },
        }),
      RangeError,
      'linearAttention: "k" holds 0 elements after the arguments were read, expected 80',
    );
    const ended = own();
    const featureMap = (y: TensorLike): TensorLike => {
      ended.dispose();
      return y;
    };
    expect(() => ended.linearAttention(q, x, x, { featureMap })).toThrow(
      new Error("linearAttention: the engine has been disposed of"),
    );
  });

  test("a feature function that makes the memory grow, which detaches raw views", () => {
    const small = own();
    const tensor = small.tensor(x.dims);
    tensor.data.set(x.data);
    const held: unknown[] = [];
    const featureMap = (y: TensorLike): TensorLike => {
      held.push(small.tensor([2 ** 20]));
      return y;
    };
    const { data } = small.linearAttention(x, x, { data: tensor.data, dims: x.dims }, { featureMap });
    expect(data).toEqual(engine.linearAttention(x, x, x, { featureMap: (y) => y }).data);
    small.dispose();
  });

  test("detached arrays", () => {
    const detached = <A extends Float32Array | Uint16Array | Uint8Array>(array: A): A => {
      structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
      return array;
    };
    const problem = 'scaledDotProductAttention: "q" holds 0 elements, expected 1 × 5 × 2 × 8 = 80';
    refuses(() => attend({}, { data: detached(new Float32Array(80)), dims: x.dims }), RangeError, problem);
    refuses(() => attend({}, { data: detached(new Uint16Array(80)), dims: x.dims, type: "float16" }), RangeError, problem);
    expect(engine.softmax({ data: detached(new Float32Array(1)), dims: [0] }).dims).toEqual([0]);
    refuses(
      () => andMasks({ data: detached(new Uint8Array(4)), dims: [4] }),
      RangeError,
      'andMasks: "masks[0]" holds 0 elements, expected 4',
    );
  });
});

describe("a worker of the caller's", () => {
  /** Reports that it is ready, and nothing more. */
  const silent = (terminate: () => unknown = () => undefined) => {
    const listeners: ((event: { data: unknown }) => void)[] = [];
    return {
      postMessage(message: { kind: string }): void {
        if (message.kind === "start")
          queueMicrotask(() => listeners.forEach((listener) => listener({ data: { problem: undefined } })));
      },
      addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
        if (type === "message") listeners.push(listener);
      },
      terminate,
    };
  };
  const open = (options: WorkerEngineOptions): Promise<WorkerEngine> => createWorkerEngine({ ...options });

  // Where there are Web Locks, a host sees that no worker holds this one's.
  const GIVEN_UP = /^createWorkerEngine: the engine's worker (did not answer within 50 ms|has ended)$/;

  test("that answers the start and then nothing: creation gives up", async () => {
    let ended = 0;
    const createWorker = () => silent(() => ended++) as never;
    await expect(open({ createWorker, stallTimeout: 50 })).rejects.toThrow(GIVEN_UP);
    expect(ended).toBeGreaterThan(0);
  }, 20_000);

  test("whose `terminate` throws, or is rejected", async () => {
    for (const terminate of [
      () => {
        throw new Error("no");
      },
      () => Promise.reject(new Error("no")),
    ]) {
      await expect(open({ createWorker: () => silent(terminate) as never, stallTimeout: 50 })).rejects.toThrow(GIVEN_UP);
    }
  }, 20_000);
});
