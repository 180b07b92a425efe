/** Cases with numbers from other projects. */
import { host } from "#host";

/** Appended to the title of a case that did not run. */
export const ABSENT = " › not run: the conformance data are absent";

/** The contents of a data file, JSON after comment lines; undefined if the data are absent. */
export async function readConformance(path: string): Promise<unknown> {
  const text = await host.readConformance(path);
  return text === undefined ? undefined : JSON.parse(text.replace(/^\/\/.*$/gm, ""));
}
