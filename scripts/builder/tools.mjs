/** The programs of benches, bits and `npm start` → build/tools/, as tsconfig.tools.json says. */
import { readFileSync, rmSync } from "node:fs";
import { beside, listFiles, replaceFolder, withImports } from "./files.mjs";
import { manifestsOf, root, runTool, scripts } from "./tool.mjs";

const CONFIGS = ["tsconfig.json", "tsconfig.tools.json"];

/** What the configuration includes: folders. */
function entries() {
  const { include, exclude = [] } = JSON.parse(readFileSync(`${root}tsconfig.tools.json`, "utf8"));
  const isIn = (folder, file) => file === folder || file.startsWith(`${folder}/`);
  return include
    .flatMap((folder) => listFiles(root, folder))
    .filter((file) => file.endsWith(".ts") && !exclude.some((folder) => isIn(folder, file)));
}

export const TOOLS = [
  {
    name: "tools",
    makes: "the programs → build/tools",
    needs: ["pool-worker"], // files of src/ that benches import, import it
    inputs: () => [...scripts("tools"), ...manifestsOf("typescript"), ...CONFIGS, ...withImports(root, entries())],
    // The fields that the compiler reads.
    settings: () => JSON.parse(readFileSync(`${root}package.json`, "utf8")).type,
    outputs: ["build/tools/"],
    async run() {
      const folder = beside("build/tools");
      rmSync(`${root}${folder}`, { recursive: true, force: true });
      // `npm run lint` checks the types: without them a file's output depends on that file alone, not on the package.
      await runTool("typescript/bin/tsc", "-p", "tsconfig.tools.json", "--noCheck", "--outDir", folder);
      replaceFolder(`${root}${folder}`, `${root}build/tools`);
    },
  },
];
