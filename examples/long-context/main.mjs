/**
 * A context split among processes: each holds a part of the keys and values, receives the queries of a token, and sends back attention
 * on its part; merged, that is attention on all keys. The same messages could go to other machines.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createEngine } from "headwise";
import { runExample, UsageError } from "../options.mjs";

/** Starts a process that holds parts. */
async function start(sizes, parts) {
  const module = fileURLToPath(new URL("part.mjs", import.meta.url));
  const child = fork(module, [JSON.stringify({ ...sizes, parts })], { serialization: "advanced" });
  await once(child, "message");
  return child;
}

async function ask(child, q) {
  const answer = once(child, "message");
  child.send(q);
  return (await answer)[0];
}

const median = (samples) => samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)];

async function main({ keys, processes, heads: numHeads, "kv-heads": numKvHeads, "head-dim": headDim, tokens }) {
  if (numHeads % numKvHeads !== 0) throw new UsageError(`--heads ${numHeads}: not a multiple of --kv-heads ${numKvHeads}`);
  if (processes > keys) throw new UsageError(`--processes ${processes}: more than --keys ${keys}`);
  const parts = Array.from({ length: processes }, (_, index) => ({
    keys: Math.floor((keys * (index + 1)) / processes) - Math.floor((keys * index) / processes),
    seed: 1000 + index,
  }));
  const sizes = { numKvHeads, headDim };
  const whole = await start(sizes, parts);
  const split = await Promise.all(parts.map((part) => start(sizes, [part])));
  const engine = await createEngine();

  const times = { whole: [], split: [] };
  let largestError = 0;
  let received = 0;
  for (let token = 0; token < tokens; token++) {
    const q = {
      data: Float32Array.from({ length: numHeads * headDim }, () => 2 * Math.random() - 1),
      dims: [1, 1, numHeads, headDim],
    };
    let began = performance.now();
    const truth = await ask(whole, q);
    times.whole.push(performance.now() - began);

    began = performance.now();
    const answers = await Promise.all(split.map((child) => ask(child, q)));
    const out = engine.mergeAttention(answers);
    times.split.push(performance.now() - began);

    received = answers.reduce((sum, each) => sum + each.out.data.byteLength + each.logSumExp.data.byteLength, 0);
    for (const [index, x] of out.data.entries()) largestError = Math.max(largestError, Math.abs(x - truth.out.data[index]));
  }
  for (const child of [whole, ...split]) child.kill();
  engine.dispose();

  const cacheBytes = 8 * numKvHeads * headDim * keys;
  console.log(
    `${keys} keys, ${numHeads}/${numKvHeads} heads of ${headDim}: ${Math.round(cacheBytes / 2 ** 20)} MiB of keys and values`,
  );
  console.log(`sent a token: ${4 * numHeads * headDim} bytes to each of ${processes} processes, ${received} bytes back in all`);
  console.log(
    `milliseconds a token: one process ${median(times.whole).toFixed(2)}, ${processes} processes ${median(times.split).toFixed(2)}`,
  );
  console.log(`largest difference: ${largestError.toExponential(1)}`);
}

const DEFAULTS = { keys: 65536, processes: 2, heads: 32, "kv-heads": 8, "head-dim": 128, tokens: 30 };
await runExample("long-context", DEFAULTS, main);
