/** Handing results back: ways to copy numbers out of WebAssembly's memory, shared or not. The library takes the first. */
import { type Context, type Row, type Section, timingCells } from "../context.js";
import { measure } from "../measure.js";

/** Of a softmax of [6144, 512], and of a small call. */
const LENGTHS = [6144 * 512, 16 * 1024];

export default {
  name: "copies",
  title: "Copies out of WebAssembly's memory",
  run({ wants, progress }: Context): Row[] {
    const rows: Row[] = [];
    for (const shared of [true, false]) {
      const numbers = new Float32Array(new WebAssembly.Memory({ initial: 256, maximum: 256, shared }).buffer).fill(1.5);
      for (const length of LENGTHS) {
        const memory = `${shared ? "shared" : "unshared"}, ${length} numbers`;
        if (!wants(memory)) continue;
        progress(memory);
        const view = numbers.subarray(64, 64 + length);
        const place = new Float32Array(length);
        const ways: Record<string, () => unknown> = {
          "new Float32Array(view)": () => new Float32Array(view),
          "view.slice()": () => view.slice(),
          "new Float32Array(length), then set": () => new Float32Array(length).set(view),
          "set into an array that is there": () => {
            place.set(view);
          },
        };
        const timings = measure(Object.values(ways));
        for (const [index, way] of Object.keys(ways).entries()) {
          rows.push({ memory, way, ...timingCells(timings[index]!), "× the first": timings[index]!.median / timings[0]!.median });
        }
      }
    }
    return rows;
  },
} satisfies Section;
