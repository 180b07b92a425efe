/** Where the time of a call goes: each stage alone, on the data of one head at 12 × 1024 × 64, as often as the call runs it. */
import type { PackagedBuild } from "headwise";
import { STRIP_ROWS } from "../../src/runtime/builds.js";
import { instantiate } from "../../src/runtime/instantiate.js";
import { binaryOf, measureAgainst, peakProbes, type Probe, readProbe } from "../ceilings/ceilings.js";
import { type Context, openEngine, residentCall, type Row, type Section, timingCells } from "../context.js";
import { normal } from "../data.js";
import { gigaPerSecond, type Timing } from "../measure.js";
import { FORWARD } from "../shapes.js";

const SHAPE = FORWARD.find(({ name }) => name === "12×1024×64 full")!;
const { numHeads, seqLen, headDim } = SHAPE;
const BLOCK = 512;
const BLOCKS = seqLen / BLOCK;
/** Additions and multiplications of an exponential with its subtraction and its sum; comparisons and shifts are not counted. */
const EXP_FLOPS = 19;

interface Stage extends Probe {
  readonly name: string;
  readonly unit: "GFLOP/s" | "GB/s";
}

/** The stages of one head. */
function stagesOf(build: PackagedBuild): Stage[] {
  const bytes = 2 ** 23;
  const { kernels, memory } = instantiate("bench", binaryOf(build), { initialBytes: bytes, maximumBytes: bytes });
  const rows = STRIP_ROWS[build];
  const strips = Math.ceil(seqLen / rows);
  const [operand, panels, queries, scores, accumulators, rowTable] = [1, 2, 3, 4, 5, 6].map((index) => index * 2 ** 20) as [
    ...[number, number, number, number, number, number],
  ];
  memory.f32.set(normal([2 ** 18], 1).data, operand / 4);
  memory.f32.set(normal([2 ** 18], 2).data, panels / 4);
  memory.f32.set(normal([2 ** 18], 3).data, queries / 4);
  const weights = normal([rows * BLOCK], 4).data.map((value) => -Math.abs(value));
  const refill = (): void => memory.f32.set(weights, scores / 4);
  memory.i32.set(
    Array.from({ length: rows }, (_, row) => operand + row * headDim * 4),
    rowTable / 4,
  );
  const perBlock = (work: (block: number) => void) => () => {
    for (let strip = 0; strip < strips; strip++) for (let block = 0; block < BLOCKS; block++) work(block);
  };
  const rowsOfBlock = (work: (rowPtr: number) => void) =>
    perBlock(() => {
      for (let row = 0; row < rows; row++) work(scores + row * BLOCK * 4);
    });
  const pairs = strips * rows * seqLen;
  const blockBytes = BLOCK * headDim * 4;
  return [
    {
      name: "pack keys",
      unit: "GB/s",
      amount: seqLen * headDim * 8,
      run: () => kernels.packKeys(operand, headDim * 4, 0, seqLen, headDim, panels),
    },
    {
      name: "pack values",
      unit: "GB/s",
      amount: seqLen * headDim * 8,
      run: () => kernels.packValues(operand, headDim * 4, 0, seqLen, headDim, panels, seqLen * 32),
    },
    {
      name: "pack queries",
      unit: "GB/s",
      amount: strips * rows * headDim * 8,
      run: () => {
        for (let strip = 0; strip < strips; strip++) kernels.packRows(rowTable, 4, rows, queries, headDim, 0.125);
      },
    },
    {
      name: "q·k",
      unit: "GFLOP/s",
      amount: 2 * pairs * headDim,
      run: perBlock((block) => kernels.multiplyStrip(rows, queries, panels + block * blockBytes, scores, headDim, BLOCK / 8)),
    },
    { name: "row maximum", unit: "GB/s", amount: 4 * pairs, run: rowsOfBlock((row) => kernels.rowMax(row, BLOCK * 4)) },
    {
      name: "exp and sum",
      unit: "GFLOP/s",
      amount: EXP_FLOPS * pairs,
      run: () => {
        refill();
        rowsOfBlock((row) => kernels.exponentials(row, BLOCK * 4, 1))();
      },
    },
    {
      name: "p·v",
      unit: "GFLOP/s",
      amount: 2 * pairs * headDim,
      run: perBlock((block) =>
        kernels.accumulateRows(rows, scores, panels + block * BLOCK * 32, seqLen * 32, accumulators, BLOCK, headDim / 8),
      ),
    },
  ];
}

export default {
  name: "stages",
  title: "Stages of 12×1024×64 full on one thread, each alone on one head's data in L2, alternating with the whole call",
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    if (!wants(SHAPE.name)) return [];
    const rows: Row[] = [];
    for (const build of builds) {
      progress(`${build} stages`);
      const engine = await openEngine(build);
      const stages = stagesOf(build);
      const read = readProbe(build, seqLen * headDim * 4);
      const contestants = [residentCall(engine, SHAPE).run, read.run, ...stages.map(({ run }) => run)];
      const { timings, ceiling: peak } = measureAgainst(peakProbes(build), contestants);
      engine.dispose();
      const [whole, reading, ...times] = timings as [Timing, Timing, ...Timing[]];
      const bandwidth = gigaPerSecond(read.amount, reading);
      const percent = (timing: Timing): number => (100 * numHeads * timing.median) / whole.median;
      for (const [index, { name, unit, amount }] of stages.entries()) {
        const timing = times[index]!;
        const rate = gigaPerSecond(amount, timing);
        rows.push({
          build,
          stage: name,
          ...timingCells(timing),
          rate,
          unit,
          ceiling: unit === "GB/s" ? bandwidth : peak,
          "% of ceiling": (100 * rate) / (unit === "GB/s" ? bandwidth : peak),
          "% of the call": percent(timing),
        });
      }
      const rest = 100 - times.reduce((sum, timing) => sum + percent(timing), 0);
      rows.push({ build, stage: "all else: cache misses, rescaling, results", "% of the call": rest });
    }
    return rows;
  },
} satisfies Section;
