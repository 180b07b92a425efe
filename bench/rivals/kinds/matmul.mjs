/** Matrix product a · b, where b is a constant, a layer's weights, unless a shape says that it is fed as a is. */
import { normal } from "../../../build/tools/bench/data.js";
import { MATMUL } from "../../../build/tools/bench/shapes.js";
import { product, rowsBeforeQuarters } from "../truth.mjs";

const NAMES = ["256×256×256", "512×512×512", "1024×1024×1024", "2048×2048×2048", "512×768×3072"];

/** Error per step of a sum: above all rounding; a wrong result would be off by √depth. */
const TOLERANCE = 4e-7;
const BLOCK_ROWS = 2;

const rightOf = ({ depth, columns }) => ({ b: normal([depth, columns], 2) });

export const matmul = {
  name: "matmul",
  shapes: MATMUL.filter(({ name }) => NAMES.includes(name)).map((shape) => ({ ...shape, name: `matmul ${shape.name}` })),
  ioOf: () => "resident",
  inputsOf: (shape) => ({ a: normal([shape.rows, shape.depth], 1), ...(shape.bIsInput && rightOf(shape)) }),
  constantsOf: (shape) => (shape.bIsInput ? {} : rightOf(shape)),
  outDimsOf: ({ rows, columns }) => [rows, columns],
  workOf: ({ rows, depth, columns }) => 2 * rows * depth * columns,
  rate: "gigaflops",
  toleranceOf: ({ depth }) => TOLERANCE * depth,
  truthOf: ({ rows, depth, columns }, { a, b: fed }, { b = fed }) =>
    rowsBeforeQuarters(rows, BLOCK_ROWS).map(({ first, end }) => ({
      start: first * columns,
      values: product(a.data.subarray(first * depth, end * depth), b.data, [end - first, depth, columns]),
    })),
};
