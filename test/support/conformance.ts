/** Cases of other projects with numbers. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The data lie beside the repository, or where HEADWISE_CONFORMANCE says. */
const FOLDER = process.env["HEADWISE_CONFORMANCE"] ?? fileURLToPath(new URL("../../../shared/conformance", import.meta.url));

/** What stands behind the name of a case that did not run. */
export const ABSENT = " › not run: the conformance data are absent";

/** The content of a file of the data, JSON under lines of comment; undefined where they are absent. */
export function readConformance(path: string): unknown {
  const file = `${FOLDER}/${path}`;
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8").replace(/^\/\/.*$/gm, "")) : undefined;
}
