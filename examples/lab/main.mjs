/** All experiments, one after the other, in the order of the README. */
import { readFileSync } from "node:fs";

const readme = readFileSync(new URL("README.md", import.meta.url), "utf8");
for (const [, name] of readme.matchAll(/^\| \[([\w-]+)\]/gm)) {
  console.log(`\n${name}`);
  await import(`./${name}.mjs`);
}
