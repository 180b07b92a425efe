/** Finds the cases: they are in every `test/*.bits.ts`, next to the tests of the same operation. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { BitsCase } from "./case.js";

/** Absolute paths, in alphabetical order. */
export const caseFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".bits.ts"))
    .sort()
    .map((name) => join(folder, name));

/** The cases of those files. */
export async function bitsCases(folder: string): Promise<BitsCase[]> {
  const modules = await Promise.all(caseFiles(folder).map((file) => import(file) as Promise<{ default: readonly BitsCase[] }>));
  return modules.flatMap((found) => found.default);
}
