/** Uses everything that an engine makes from the state of one framework, and prints what fails, as JSON. */
import { writeFileSync } from "node:fs";
import { createEngine, createWorkerEngine } from "headwise";

const FRAMEWORKS = {
  "Vue, reactive": async () => (await import("vue")).reactive,
  "Vue, readonly": async () => (await import("vue")).readonly,
  "Vue, ref": async () => {
    const { ref } = await import("vue");
    return (held) => ref(held).value;
  },
  "MobX, observable": async () => (await import("mobx")).observable,
  "MobX, makeAutoObservable": async () => {
    const { makeAutoObservable } = await import("mobx");
    return (held) => makeAutoObservable(held);
  },
  "Valtio, proxy": async () => (await import("valtio/vanilla")).proxy,
  "Valtio, snapshot": async () => {
    const { proxy, snapshot } = await import("valtio/vanilla");
    return (held) => snapshot(proxy(held));
  },
  "Svelte, $state": async () => {
    const { compileModule } = await import("svelte/compiler");
    const { readFileSync } = await import("node:fs");
    const source = readFileSync(new URL("state.svelte.js", import.meta.url), "utf8");
    const compiled = new URL("compiled.mjs", import.meta.url);
    writeFileSync(compiled, compileModule(source, { generate: "client", filename: "state.svelte.js" }).js.code);
    return (await import(compiled.href)).keep;
  },
};

const tensor = (...dims) => ({ data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)), dims });

/** What a component keeps. */
async function makeHeld() {
  const engine = await createEngine();
  const weights = tensor(4, 4);
  return {
    engine,
    worker: await createWorkerEngine(),
    x: tensor(1, 3, 2, 2),
    cache: engine.createKVCache({ numKvHeads: 2, headDim: 2, capacity: 8 }),
    tensor: engine.tensor([1, 3, 2, 2]),
    state: engine.createLinearAttentionState({ numKvHeads: 2, headDim: 2 }),
    layer: engine.createMultiHeadAttention({ embedDim: 4, numHeads: 2 }, { q: weights, k: weights, v: weights, out: weights }),
    packed: engine.packMatrix(weights),
  };
}

/** Each gives numbers, which must be those without the framework. */
const USES = {
  attention: ({ engine, x }) => engine.scaledDotProductAttention(x, x, x, { causal: true }).data,
  info: ({ engine }) => [engine.info.threads],
  "a tensor's data": ({ tensor }) => tensor.data.fill(3),
  "a tensor as place": ({ engine, x, tensor }) => engine.scaledDotProductAttention(x, x, x, { out: tensor }).data,
  "a cache": ({ cache, x }) => {
    cache.append(x, x);
    return [cache.length, ...cache.attend(x).data];
  },
  "a state of linear attention": ({ state, x }) => state.step(x, x, x).data,
  "a layer": ({ layer, x }) => layer.forward({ data: x.data, dims: [3, 4] }).data,
  "a packed matrix": ({ engine, packed, x }) => engine.matmul({ data: x.data, dims: [3, 4] }, packed).data,
  "an engine in a worker": async ({ worker, x }) => (await worker.scaledDotProductAttention(x, x, x)).data,
  disposing: async ({ engine, worker, cache, tensor }) => {
    for (const each of [cache, tensor, engine]) each.dispose();
    await worker.dispose();
    return [engine.info.memory.inUse];
  },
};

async function numbersOf(held) {
  const found = {};
  for (const [name, use] of Object.entries(USES)) {
    try {
      found[name] = [...(await use(held))].join(" ");
    } catch (error) {
      found[name] = String(error);
    }
  }
  return found;
}

const expected = await numbersOf(await makeHeld());
const report = {};
for (const [framework, load] of Object.entries(FRAMEWORKS)) {
  const wrap = await load();
  report[framework] = await numbersOf(wrap(await makeHeld()));
}
console.log(JSON.stringify({ expected, report }));
process.exit(0);
