/** onnxruntime's operator GroupQueryAttention: cases of its test suite, mapped to headwise's options. */
import { expect, test } from "vitest";
import type { CachedAttentionOptions, Engine, ResultTensor } from "headwise";
import { ABSENT, readConformance } from "./support/conformance.js";
import { onEveryEngine } from "./support/engines.js";
import type { TestTensor } from "./support/random.js";

const CASES: Record<string, readonly string[]> = {
  "head-sink": ["GQA head_sink 0: prompt S=1", "GQA head_sink 1: prompt S=2", "GQA head_sink 2: past S=1 past=2"],
  "local-window": ["GQA local_window 0: prompt S=4 w=2"],
  rotary: ["GQA rotary 1: prompt S=3"],
  softcap: ["GQA softcap 1: prompt S=3", "GQA softcap 2: past S=1 past=2"],
};

interface OrtTensor {
  data: number[] | null;
  dims?: number[];
}

interface OrtCase {
  name: string;
  attributes: { name: string; data: number }[];
  cases: { inputs: OrtTensor[]; outputs: OrtTensor[] }[];
}

/** The data have six decimals. */
const TOLERANCE = 2e-6;
const ATTRIBUTES = ["num_heads", "kv_num_heads", "local_window_size", "softcap", "do_rotary"];

/** [batch, rows, heads · channels] with the heads as a separate axis. */
const splitHeads = ({ data, dims }: OrtTensor, heads: number): TestTensor => {
  const [batch, rows, size] = dims as [number, number, number];
  return { data: Float32Array.from(data!), dims: [batch, rows, heads, size / heads] };
};

const table = ({ data, dims }: OrtTensor): TestTensor => ({ data: Float32Array.from(data!), dims: dims! });

/** [batch, heads, rows, channels] as [batch, rows, heads, channels]. */
function swapAxes({ data, dims }: OrtTensor): TestTensor {
  const [batch, heads, rows, channels] = dims as [number, number, number, number];
  const swapped = new Float32Array(data!.length);
  for (let index = 0; index < swapped.length; index++) {
    const [row, c] = [Math.floor(index / channels), index % channels];
    const [b, i, h] = [Math.floor(row / rows / heads), Math.floor(row / heads) % rows, row % heads];
    swapped[index] = data![((b * heads + h) * rows + i) * channels + c]!;
  }
  return { data: swapped, dims: [batch, rows, heads, channels] };
}

function mapCase({ attributes, cases }: OrtCase) {
  const [{ inputs, outputs }] = cases as [OrtCase["cases"][number]];
  const names = attributes.map(({ name }) => name);
  expect(
    names.filter((name) => !ATTRIBUTES.includes(name)),
    "attributes that are not mapped",
  ).toEqual([]);
  const { num_heads, kv_num_heads, local_window_size, softcap } = Object.fromEntries(
    attributes.map(({ name, data }) => [name, data]),
  );
  const [query, key, value, pastKey, pastValue, , , cos, sin, , , sink] = inputs;
  const options: CachedAttentionOptions<ResultTensor> = {
    softcap,
    window: local_window_size === undefined ? undefined : local_window_size - 1, // theirs counts the row's own key
    sinks: sink && { data: Float32Array.from(sink.data!), dims: sink.dims! },
  };
  return {
    options,
    q: splitHeads(query!, num_heads!),
    k: splitHeads(key!, kv_num_heads!),
    v: splitHeads(value!, kv_num_heads!),
    past: { k: swapAxes(pastKey!), v: swapAxes(pastValue!) },
    tables: cos?.data && sin?.data ? { cos: table(cos), sin: table(sin) } : undefined,
    expected: outputs[0]!.data!,
  };
}

/** Like the operator: appends keys and values to the cache, then lets the rows attend to it. */
function attend(engine: Engine, { q, k, v, past, options, tables }: ReturnType<typeof mapCase>): ResultTensor {
  const [batchSize, , numKvHeads, headDim] = k.dims as [number, number, number, number];
  using cache = engine.createKVCache({ batchSize, numKvHeads, headDim, capacity: past.k.dims[1]! + k.dims[1]! });
  cache.append(past.k, past.v);
  const at = { tables, offset: past.k.dims[1]! };
  cache.append(tables ? engine.rotary(k, at) : k, v);
  return cache.attend(tables ? engine.rotary(q, at) : q, options);
}

function expectNear(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (let index = 0; index < found.length; index++) {
    expect(Math.abs(found[index]! - expected[index]!), `element ${index}`).toBeLessThanOrEqual(TOLERANCE);
  }
}

interface OrtFile {
  names: readonly string[];
  cases: OrtCase[] | undefined;
}
const files: OrtFile[] = [];
for (const [file, names] of Object.entries(CASES)) {
  const cases = (await readConformance(`ort-web-extra/group-query-attention-${file}.jsonc`)) as OrtCase[] | undefined;
  files.push({ names, cases });
  test.skipIf(!cases)(`onnxruntime › ${file} › the data contain exactly these ${names.length} cases${cases ? "" : ABSENT}`, () => {
    expect(cases?.map(({ name }) => name)).toEqual(names);
  });
}

onEveryEngine((_, engine) => {
  for (const { names, cases } of files) {
    for (const name of names) {
      const ortCase = cases?.find((candidate) => candidate.name === name);
      if (!ortCase) {
        test.skip(`onnxruntime › ${name}${ABSENT}`, () => undefined);
        continue;
      }
      test(`onnxruntime › ${name} › ≤ ${TOLERANCE}`, () => {
        const mapped = mapCase(ortCase);
        expectNear(attend(engine, mapped).data, mapped.expected);
      });
    }
  }
});
