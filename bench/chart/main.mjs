/** `npm run chart -- INPUT.json OUTPUT.svg`: draws what `npm run bench:rivals -- --json INPUT.json` measured. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { draw } from "./draw.mjs";

const USAGE = `npm run chart -- INPUT.json OUTPUT.svg [--threads N]

  INPUT.json    what npm run bench:rivals -- --json INPUT.json wrote
  --threads N   the rows with so many threads; default 1`;

try {
  const { values, positionals } = parseArgs({
    options: { threads: { type: "string", default: "1" }, help: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.help) console.log(USAGE);
  else {
    const [input, output, ...others] = positionals;
    if (output === undefined || others.length > 0) throw new TypeError("an input and an output are needed");
    writeFileSync(output, draw(JSON.parse(readFileSync(input, "utf8")), Number(values.threads)));
  }
} catch (error) {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
