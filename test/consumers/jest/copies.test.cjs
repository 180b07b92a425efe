/** Jest gives each test file, and each isolated part of one, a copy of the package: the classes of a copy belong to it alone. */
const { createEngineSync } = require("headwise/sync");

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };
const engine = createEngineSync();
let other;
jest.isolateModules(() => (other = require("headwise/sync").createEngineSync()));

test("tensors of another copy count as arrays, also as places", () => {
  const [placed, out] = [other.tensor([3, 2]), other.tensor([3, 2])];
  placed.data.set(x.data);
  const numbers = engine.scaledDotProductAttention(placed, placed, placed, { out }).data;
  expect(Array.from(numbers)).toEqual(Array.from(other.scaledDotProductAttention(x, x, x).data));
});

test("what else another copy has made is named as such", () => {
  expect(() => engine.matmul(x, other.packMatrix({ data: new Float32Array(4), dims: [2, 2] }))).toThrow(
    /^matmul: "b" must be .*, got an object of kind PackedMatrix, made by another copy of headwise$/,
  );
});
