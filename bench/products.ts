/** Matrix products whose tensors are in the engine's memory, with what is checked before any of them is timed. */
import type { Engine, EngineTensor, PackedMatrix } from "headwise";
import { resident, type ResidentCall } from "./context.js";
import { normal } from "./data.js";
import type { MatmulShape } from "./shapes.js";

/** Error per step of a sum: above all rounding, far below any wrong result, which would be off by √depth. */
const TOLERANCE = 2e-7;

export interface Product extends ResidentCall {
  readonly out: EngineTensor<"float32">;
  /**
   * The largest error of some elements.
   * @throws {Error} the result is wrong
   */
  readonly check: () => number;
}

/** @param isPacked  whether the right-hand side is packed in advance */
export function residentProduct(engine: Engine, { name, rows, depth, columns }: MatmulShape, isPacked: boolean): Product {
  const [a, b] = [resident(engine, normal([rows, depth], 1)), resident(engine, normal([depth, columns], 2))];
  const out = engine.tensor([rows, columns]);
  const right = isPacked ? engine.packMatrix(b) : b;
  const run = (): unknown => engine.matmul(a, right, { out });
  return {
    run,
    out,
    check: () => {
      run();
      const error = largestError(a, b, out);
      if (error <= TOLERANCE * Math.max(depth, 32)) return error;
      throw new Error(`${engine.info.build} ${name}: error ${error}, no speed is reported on a wrong result`);
    },
    dispose: () => {
      for (const kept of new Set<EngineTensor | PackedMatrix>([a, b, right, out])) kept.dispose();
    },
  };
}

/** Of one row in each quarter, in every 13th column. */
function largestError(a: EngineTensor<"float32">, b: EngineTensor<"float32">, out: EngineTensor<"float32">): number {
  const [rows, depth] = a.dims as [number, number];
  const columns = b.dims[1]!;
  let largest = 0;
  for (const quarter of [0, 0.25, 0.5, 0.75, 1]) {
    const i = Math.round((rows - 1) * quarter);
    for (let j = 0; j < columns; j += 13) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += a.data[i * depth + k]! * b.data[k * columns + j]!;
      largest = Math.max(largest, Math.abs(sum - out.data[i * columns + j]!));
    }
  }
  return largest;
}
