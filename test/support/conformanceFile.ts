/** Files with cases of other projects. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The data lie beside the repository, or where HEADWISE_CONFORMANCE says. */
const FOLDER = process.env["HEADWISE_CONFORMANCE"] ?? fileURLToPath(new URL("../../../shared/conformance", import.meta.url));

/** The text of a file of the data; undefined where they are absent. */
export function readConformance(path: string): string | undefined {
  const file = `${FOLDER}/${path}`;
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
