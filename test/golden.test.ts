/** Published numbers: the six tokens of the numeric example, computed in float64, to 1e-6. */
import { expect, test } from "vitest";
import { linearAttention as linearReference, scaledDotProductAttention as reference } from "headwise/reference";
import { SENTENCE } from "../examples/start/sentence.js";
import { onEveryEngine } from "./support/engines.js";

const TOLERANCE = 1e-6;

const tensor = (rows: readonly (readonly number[])[]) => ({
  data: Float32Array.from(rows.flat()),
  dims: [rows.length, rows[0]!.length],
});

function expectNear(found: ArrayLike<number>, expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  for (const [index, value] of expected.entries())
    expect(Math.abs(found[index]! - value), `element ${index}`).toBeLessThanOrEqual(TOLERANCE);
}

const [q, k, v] = [tensor(SENTENCE.queries), tensor(SENTENCE.keys), tensor(SENTENCE.values)];
const SITTING = 3;

onEveryEngine((_, engine) => {
  test("output, logSumExp and weights of the sentence", () => {
    const logSumExp = { data: new Float32Array(6), dims: [6] };
    const weights = { data: new Float32Array(36), dims: [6, 6] };
    expectNear(engine.scaledDotProductAttention(q, k, v, { logSumExp, weights }).data, SENTENCE.outputs.flat());
    expectNear(logSumExp.data, SENTENCE.logSumExp);
    expectNear(weights.data.subarray(SITTING * 6, SITTING * 6 + 6), SENTENCE.weightsOfSitting);
  });

  test("causal", () => {
    const out = engine.scaledDotProductAttention(q, k, v, { causal: true });
    expectNear(out.data.subarray(0, 15), SENTENCE.causalOutputs.flat());
    expect([...out.data.subarray(0, 3)]).toEqual([...v.data.subarray(0, 3)]); // one key: exactly its value
  });

  test("scores: sitting·The is 0.21 and sitting·dog 0.29", () => {
    const scores = { data: new Float32Array(36), dims: [6, 6] };
    engine.scaledDotProductAttention(q, k, v, { scale: 1, scores });
    expectNear(scores.data.subarray(SITTING * 6, SITTING * 6 + 2), [0.21, 0.29]);
  });

  test("a large scale looks up an orthonormal key", () => {
    const identity = tensor([...Array(8).keys()].map((i) => [...Array(8).keys()].map((j) => (i === j ? 1 : 0))));
    const values = tensor([...Array(8).keys()].map((i) => [i + 1, -i - 1]));
    expect([...engine.scaledDotProductAttention(identity, identity, values, { scale: 1000 }).data]).toEqual([...values.data]);
  });
});

onEveryEngine((_, engine) => {
  const row = (data: ArrayLike<number>, index: number): number[] => Array.from(data).slice(3 * index, 3 * index + 3);
  test.each([
    ["elu+1", [0.518268, 0.3509482, 0.8335335], [0.4036522, 0.2518261, 0.8518261], [0.4014272, 0.2506185, 0.825452]],
    ["identity", [0.5218391, 0.3528736, 0.8293103], [0.415, 0.2575, 0.8575], [0.4, 0.2482143, 0.8223214]],
  ] as const)("linear attention, %s: sitting in full, dog and sitting causally", (featureMap, full, dog, sitting) => {
    for (const attend of [linearReference, engine.linearAttention.bind(engine)]) {
      expectNear(row(attend(q, k, v, { featureMap, eps: 0 }).data, SITTING), full);
      const causal = attend(q, k, v, { featureMap, eps: 0, causal: true }).data;
      expectNear(row(causal, 1), dog);
      expectNear(row(causal, SITTING), sitting);
    }
  });
});

test("the reference gives the same numbers", () => {
  expectNear(reference(q, k, v).data, SENTENCE.outputs.flat());
  expectNear(reference(q, k, v, { causal: true }).data.subarray(0, 15), SENTENCE.causalOutputs.flat());
});
