/** Arrays whose elements have side effects, or are not what they seem: each call reads an element once, or is refused. */
import { expect, test } from "vitest";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { eighths } from "./support/random.js";

const row = eighths([8], 6);

onEveryEngine((_, engine) => {
  const { inUse } = engine.info.memory;
  const refuses = (data: unknown, message: string, dims = [3]): void => {
    expect(() => engine.add({ data: data as number[], dims }, row)).toThrow(message);
    expect(engine.info.memory.inUse).toBe(inUse);
  };

  test("holes, and getters that change the array, end the call", () => {
    refuses([1, , 3], 'add: "a.data[1]" must be a number, got undefined');
    const shrinking: number[] = [1, 2, 3];
    Object.defineProperty(shrinking, 0, { get: () => (shrinking.length = 1) });
    refuses(shrinking, 'add: "a.data[1]" must be a number, got undefined');
  });

  test("each element is read once, and by index", () => {
    const reads: PropertyKey[] = [];
    const data = new Proxy([1, 2, 3], {
      get: (list, name) => {
        reads.push(name);
        return Reflect.get(list, name) as unknown;
      },
    });
    const three = { data: Float32Array.of(1, 1, 1), dims: [3] };
    expect([...engine.add({ data, dims: [3] }, three).data]).toEqual([2, 3, 4]);
    expect(reads).toEqual(["length", "0", "1", "2"]);
  });

  test("an endless array is refused by its length", () => {
    const endless = new Proxy([], { get: (_, name) => (name === "length" ? 2 ** 24 + 1 : "not read") });
    refuses(endless, '"a.data" has length 16777217, expected an integer from 0 to 16777216', [97, 257, 673]);
    refuses(new Array(5), '"a" holds 5 elements, expected 3');
  });

  test("an element that disposes of the engine, or of a tensor that was read before", () => {
    const own = openBuild("simd");
    const disposing: number[] = [1];
    Object.defineProperty(disposing, 0, { get: () => (own.dispose(), 1) });
    expect(() => own.add({ data: disposing, dims: [1] }, row)).toThrow(new Error("add: the engine has been disposed of"));
    const tensor = engine.tensor([1]);
    const ending: number[] = [1];
    Object.defineProperty(ending, 0, { get: () => (tensor.dispose(), 1) });
    expect(() => engine.add(tensor, { data: ending, dims: [1] })).toThrow(new Error('add: "a" has been disposed of'));
  });

  test("own properties of typed arrays are not used", () => {
    const data = Float64Array.of(1, 2, 3);
    const bytes = Int32Array.of(1, 0, 1);
    for (const array of [data, bytes])
      for (const name of ["length", "buffer", "byteOffset", "constructor", Symbol.iterator])
        Object.defineProperty(array, name, { get: () => expect.fail(`${String(name)} was read`) });
    const three = { data: Float32Array.of(1, 1, 1), dims: [3] };
    expect([...engine.add({ data, dims: [3] }, three).data]).toEqual([2, 3, 4]);
    expect([...engine.softmax(three, { mask: { data: bytes, dims: [3] } }).data]).toEqual([0.5, 0, 0.5]);
  });

  test("detached arrays", () => {
    const detached = <A extends ArrayBufferView>(array: A): A => {
      structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
      return array;
    };
    refuses(detached(new Float64Array(3)), 'add: "a" holds 0 elements, expected 3');
    const out = { data: detached(new Uint16Array(3)), dims: [3], type: "float16" };
    const three = { data: new Float32Array(3), dims: [3] };
    expect(() => engine.add(three, three, { out })).toThrow('add: "out" holds 0 elements, expected 3');
  });

  test("copies of raw views of the engine's memory", () => {
    const tensor = engine.tensor([6]);
    const { buffer, byteOffset } = tensor.data;
    const doubles = new Float64Array(buffer, byteOffset, 3);
    doubles.set([1, 2, 3]);
    const three = { data: Float32Array.of(1, 1, 1), dims: [3] };
    expect([...engine.add({ data: doubles, dims: [3] }, three).data]).toEqual([2, 3, 4]);
    const out = { data: new Uint16Array(buffer, byteOffset, 3), dims: [3], type: "float16" };
    expect(() => engine.add(three, three, { out })).toThrow('add: "out" is a raw view of the engine\'s memory');
    tensor.dispose();
  });
});
