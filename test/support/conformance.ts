/** Cases of other projects with numbers. */
import { host } from "#host";

/** What stands behind the name of a case that did not run. */
export const ABSENT = " › not run: the conformance data are absent";

/** The content of a file of the data, JSON under lines of comment; undefined where they are absent. */
export async function readConformance(path: string): Promise<unknown> {
  const text = await host.readConformance(path);
  return text === undefined ? undefined : JSON.parse(text.replace(/^\/\/.*$/gm, ""));
}
