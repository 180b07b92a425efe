/** A child process: one contestant on one shape. It answers each request of the parent. */
import { CONTESTANTS } from "./contestants.mjs";
import { kindOf } from "./kinds.mjs";
import { fromLayout, toLayout } from "./layout.mjs";

const { name, threads, variant, shape, io } = JSON.parse(process.argv[2]);
const { module } = CONTESTANTS.find((contestant) => contestant.name === name);
const { layout, model: format } = variant;
const kind = kindOf(shape);

/** Calls shorter than this are timed in groups of this length. */
const SHORTEST_SAMPLE_MS = 0.25;

let contestant;

async function call() {
  const pending = contestant.run();
  if (pending instanceof Promise) await pending;
}

const requests = {
  /** The first result, with the milliseconds from just before the import, and those of the call alone. */
  async prepare() {
    const inputs = Object.fromEntries(
      Object.entries(kind.inputsOf(shape)).map(([name, tensor]) => [name, toLayout(layout, tensor)]),
    );
    const outDims = kind.outDimsOf(shape);
    const task = { kind: kind.name, shape, inputs, constants: kind.constantsOf(shape), outDims, io };
    // Before the clock starts: users of such a library have the model as a file.
    const model = format && (await import(`./models/${format}.mjs`)).writeModel(task, variant);

    const start = performance.now();
    const { prepare } = await import(`./contestants/${module}`);
    contestant = await prepare({ ...task, model, threads });
    const called = performance.now();
    await call();
    const end = performance.now();
    const result = fromLayout(layout, await contestant.result(), outDims);
    return { cold: end - start, firstCall: end - called, note: contestant.note, result };
  },

  /** At least two calls, for the compiler; returns the milliseconds of the fastest. */
  async warmUp({ milliseconds }) {
    const start = performance.now();
    let fastest = Infinity;
    for (let calls = 0; calls < 2 || performance.now() - start < milliseconds; calls++) {
      const called = performance.now();
      await call();
      fastest = Math.min(fastest, performance.now() - called);
    }
    return fastest;
  },

  /** Milliseconds per call, of at least one call. */
  async turn({ milliseconds }) {
    const samples = [];
    const start = performance.now();
    let calls = 1;
    do {
      const called = performance.now();
      for (let i = 0; i < calls; i++) await call();
      const sample = (performance.now() - called) / calls;
      if (sample * calls >= SHORTEST_SAMPLE_MS) samples.push(sample);
      else calls = Math.ceil((1.5 * SHORTEST_SAMPLE_MS) / sample);
    } while (performance.now() - start < milliseconds || samples.length === 0);
    return samples;
  },
};

process.on("message", async ({ request, ...options }) => {
  try {
    process.send({ answer: await requests[request](options) });
  } catch (error) {
    process.send({ failure: String(error?.message ?? error) });
  }
});
process.on("disconnect", () => process.exit());
