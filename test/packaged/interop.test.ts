/** Tensors of other libraries are accepted, and results convert back to them; tested with their packages from npm. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Host, obtain } from "../hosts/hosts.js";
import { inBrowser } from "../hosts/inBrowser.js";
import { type Consumer, install } from "../hosts/install.js";
import { serve } from "../hosts/serve.js";
import { visit } from "../hosts/visit.js";

const folder = resolve("test/consumers/interop");
const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies: Record<string, string> };

/** Numbers are at most 1, where float32 has a precision of 6e-8. */
const BOUND = 5e-7;
/** For comparisons with a library's own results, which are also float32. */
const BOUND_OF_TWO = 1e-6;

const NUMBERS =
  'must be a Float32Array, Float64Array, Float16Array or array of numbers, or a Uint16Array with type "float16" or "bfloat16", got';
const refused = (kind: string, problem: string): string => `${kind}: scaledDotProductAttention: ${problem}`;

/** The results that must be right, by the names that the programs give them. */
const IN_AND_OUT = ["tensors in, a tensor out", "an engine's tensor, copied"];
const ONNXRUNTIME = {
  right: [
    ...IN_AND_OUT,
    "a tensor as the place for results",
    "float16",
    "float64",
    "sizes as int64",
    "a bool mask",
    "an int64 mask",
    "from the GPU, after getData()",
  ],
  alike: ["its own computation", "what a session gives"],
  texts: {
    "sizes of the tensor out": "2,3,9,20",
    uint16: refused("TypeError", `"k.data" ${NUMBERS} Uint16Array(1080) of type "uint16"`),
    int8: refused("TypeError", `"v.data" ${NUMBERS} Int8Array(1080) of type "int8"`),
    "on the GPU": refused("TypeError", '"q" is on "gpu-buffer", expected "cpu"; await its getData() first'),
    disposed: refused("Error", '"v" has been disposed of'),
  },
};
const USED_UP = "(ReferenceError: Referenced tracer Array:float32[2,3,9,20] freed, please use .ref move semantics)";

interface Library {
  readonly name: string;
  readonly program: string;
  /** The first version of Node that runs it. */
  readonly since?: number;
  /** Compared with the reference, and with the library itself. */
  readonly right: readonly string[];
  readonly alike: readonly string[];
  readonly texts: Readonly<Record<string, string>>;
}

const LIBRARIES: Library[] = [
  { name: "onnxruntime-web", program: "onnxruntimeWeb.mjs", ...ONNXRUNTIME },
  { name: "onnxruntime-node", program: "onnxruntimeNode.mjs", ...ONNXRUNTIME },
  {
    name: "@huggingface/transformers",
    program: "transformers.mjs",
    right: [...IN_AND_OUT, "its methods on the result", "float16", "float64", "an int64 mask"],
    alike: ["its own computation"],
    texts: {
      "sizes of the tensor out": "2,3,9,20",
      disposed: refused("Error", '"q" has been disposed of'),
    },
  },
  {
    name: "@tensorflow/tfjs-core",
    program: "tfjs.mjs",
    right: [...IN_AND_OUT, "a variable", "a bool mask"],
    alike: ["its own computation", "what it computed"],
    texts: {
      "sizes of the tensor out": "2,3,9,20",
      "its data is": "function",
      int32: refused("TypeError", `"q.dataSync()" ${NUMBERS} Int32Array(1080)`),
      strings: refused("TypeError", '"q.dataSync()[0]" must be a number, got "a"'),
      "a tensor as the place for results": refused("TypeError", '"out" must be { data, dims }: dataSync() may return a copy'),
      disposed: refused("Error", `"k" cannot be read (Error: Tensor is disposed.)`),
    },
  },
  {
    name: "@jax-js/jax",
    program: "jax.mjs",
    since: 24, // Float16Array
    right: [...IN_AND_OUT, "float16", "a bool mask", "a bool mask, as a bias"],
    alike: ["its own computation", "what it computed"],
    texts: {
      "sizes of the tensor out": "2,3,9,20",
      "its data is": "function",
      int32: refused("TypeError", `"q.dataSync()" ${NUMBERS} Int32Array(1080)`),
      "used up": refused("Error", `"v" cannot be read ${USED_UP}`),
      "the same array three times": refused("Error", `"k" cannot be read ${USED_UP}`),
    },
  },
];

const hosts: Host[] = await Promise.all([obtain("Node 20"), obtain("Node 24")]);

let consumer: Consumer;
beforeAll(async () => {
  consumer = await install(inject("tarball"), "interop");
  cpSync(resolve("examples/onnx-attention/graph.mjs"), join(consumer.folder, "graph.mjs"));
});
afterAll(() => consumer.remove());

type Found = Record<string, number | string>;

/** Checks the results of a library's program. */
function holds(version: string, { right, alike, texts }: Library, run: () => Promise<Found>): void {
  let found: Found = {};
  beforeAll(async () => {
    found = await run();
  });

  test.each(right)(`${version} › %s: the reference's numbers within ${BOUND}`, (what) => {
    expect(found[what]).toBeTypeOf("number");
    expect(found[what]).toBeLessThanOrEqual(BOUND);
  });

  test.each(alike)(`${version} › %s: the same within ${BOUND_OF_TWO}`, (what) => {
    expect(found[what]).toBeTypeOf("number");
    expect(found[what]).toBeLessThanOrEqual(BOUND_OF_TWO);
  });

  test.each(Object.entries(texts))(`${version} › %s: %s`, (what, text) => {
    expect(found[what]).toBe(text);
  });

  test(`${version} › everything that it tried is checked here`, () => {
    const tried = Object.keys(found).filter((what) => what !== "float16 lies in");
    expect(tried.sort()).toEqual([...right, ...alike, ...Object.keys(texts)].sort());
  });
}

describe.each(hosts)("$name", (host) => {
  const { executable = "", reason } = host as { executable?: string; reason?: string };

  describe.each(LIBRARIES)("$name", ({ name, program, since = 20, right, alike, texts }) => {
    const version = dependencies[name]!;
    const isTooOld = Number(host.name.split(" ")[1]) < since;
    if (reason !== undefined || isTooOld) {
      test.skip(`not run: ${name} ${version}: ${reason ?? `it needs Node ${since}`}`);
      return;
    }
    holds(version, { name, program, right, alike, texts }, async () => {
      const { stdout } = await consumer.run(executable, program);
      return JSON.parse(stdout.trim().split("\n").at(-1)!) as Found;
    });
  });
});

inBrowser("Chromium", "tensors of libraries", (browser) => {
  describe.each(LIBRARIES.filter(({ name }) => name !== "onnxruntime-node"))("$name", (library) => {
    holds(dependencies[library.name]!, library, async () => {
      const { folder } = consumer;
      const bundle = await rolldown({ input: join(folder, library.program), platform: "browser", logLevel: "silent" });
      const file = `page-${library.program}`;
      await bundle.write({ file: join(folder, file), codeSplitting: false });
      await bundle.close();
      writeFileSync(join(folder, `${file}.html`), `<!doctype html><script type="module" src="./${file}"></script>`);
      const site = await serve(folder);
      try {
        const { result, log } = await visit(browser(), `${site.origin}/${file}.html`, 60_000);
        expect(result, log.join("\n")).toBeDefined();
        return result as Found;
      } finally {
        await site.close();
      }
    });
  });
});

test("float16 of onnxruntime is a Uint16Array, or a Float16Array where the host has them", async () => {
  for (const { name, executable, reason } of hosts as { name: string; executable: string; reason?: string }[]) {
    if (reason !== undefined) continue;
    const { stdout } = await consumer.run(executable, "onnxruntimeWeb.mjs");
    expect(stdout).toContain(`"float16 lies in":"${name === "Node 20" ? "Uint16Array" : "Float16Array"}"`);
  }
});

const page = readFileSync("docs/interop.md", "utf8");
const examples = [...page.matchAll(/^## (.*?)\n.*?^```js\n(.*?)^```$/gms)].map(([, name, code]) => ({ name: name!, code: code! }));
const newest = hosts.at(-1)!;

describe.runIf(newest.reason === undefined)(
  `docs/interop.md${newest.reason === undefined ? "" : `: not run, ${newest.reason}`}`,
  () => {
    test.each(examples)("$name: the example runs, and prints what its comment says", async ({ code }) => {
      const { executable } = newest as { executable: string };
      writeFileSync(join(consumer.folder, "example.mjs"), `${code}process.exit(0);\n`);
      const { stdout } = await consumer.run(executable, "example.mjs");
      expect(stdout.trim().split("\n").at(-1)).toBe(/console\.log\(.*\); \/\/ (.*)$/m.exec(code)![1]);
    });

    test("has an example for each", () => {
      expect(examples.map(({ name }) => name.split(/[ ,]/)[0])).toEqual(["onnxruntime", "transformers.js", "tfjs", "jax-js"]);
    });
  },
);

test("the types of all of them fit, as in types.ts", async () => {
  await consumer.run(process.execPath, resolve("node_modules/typescript/bin/tsc"), "-p", consumer.folder);
});
