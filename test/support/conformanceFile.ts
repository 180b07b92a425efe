/** Files with cases from other projects. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The data are next to the repository, or in the folder that HEADWISE_CONFORMANCE names. */
const FOLDER = process.env["HEADWISE_CONFORMANCE"] ?? fileURLToPath(new URL("../../../shared/conformance", import.meta.url));

/** The text of a data file; undefined if the data are absent. */
export function readConformance(path: string): string | undefined {
  const file = `${FOLDER}/${path}`;
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
