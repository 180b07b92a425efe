/**
 * The entries of dist/ once more, as CommonJS, for hosts that cannot `require` ES modules (Jest above all): dist/commonjs/. Entries
 * share what they have in common, and each binary has a file of its own.
 */
import { writeFileSync } from "node:fs";
import { rolldown } from "rolldown";

/** Modules of dist/ by the name of their entry in dist/commonjs/. */
const ENTRIES = {
  index: "index",
  attention: "attention",
  sync: "sync",
  reference: "reference/index",
  baseline: "baseline/index",
};
/** Those that are run for their effects, in a worker. */
const WORKERS = { worker: "runtime/worker", "engine-worker": "workerEngine/worker" };

const isBinary = (id) => id.includes("/binary/");
const isEngine = (id) => !isBinary(id) && !/\/(reference|baseline)\//.test(id);

/**
 * @param {string} folder  dist/, with everything else in it
 * @param {(file: string) => Promise<object>} load  imports a file of it
 * @param {string} banner  the notice in bundled files
 */
export async function writeCommonJS(folder, load, banner) {
  const entries = Object.entries({ ...ENTRIES, ...WORKERS }).map(([name, module]) => [name, `${folder}/${module}.js`]);
  const bundle = await rolldown({ input: Object.fromEntries(entries), platform: "node" });
  await bundle.write({
    dir: `${folder}/commonjs`,
    format: "cjs",
    esModule: true,
    comments: false,
    banner,
    entryFileNames: "[name].cjs",
    chunkFileNames: ({ moduleIds }) => (moduleIds.some(isBinary) ? "binary/[name].cjs" : "[name].cjs"),
    codeSplitting: { groups: [{ name: "engine", test: isEngine, minShareCount: 2 }] },
  });
  await bundle.close();

  for (const name of Object.keys(WORKERS)) writeFileSync(`${folder}/commonjs/${name}.d.cts`, "export {};\n");
  for (const [name, module] of Object.entries(ENTRIES)) {
    writeFileSync(`${folder}/commonjs/${name}.d.cts`, declarations(`../${module}.js`, await load(`${module}.js`)));
  }
}

/**
 * The types of an ES module's exports, not copies of them: what one format of the package makes has the type that the other expects.
 */
function declarations(path, exported) {
  const from = `from "${path}" with { "resolution-mode": "import" };\n`;
  const values = Object.keys(exported).map((name) => `export declare const ${name}: typeof module.${name};\n`);
  return `import type * as module ${from}export type * ${from}${values.join("")}`;
}
