/** Finds the cases: they are in every `test/*.bits.ts`, next to the tests of the same operation. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Absolute paths, in alphabetical order. */
export const caseFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".bits.ts"))
    .sort()
    .map((name) => join(folder, name));
