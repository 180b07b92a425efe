/** `npm run chart -- INPUT.json OUTPUT.svg`: draws what `npm run bench:rivals -- --json INPUT.json` measured. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { draw } from "./draw.mjs";

const USAGE = `npm run chart -- INPUT.json OUTPUT.svg [--size TEXT] [--threads N]

  INPUT.json    what npm run bench:rivals -- --json INPUT.json wrote
  --size TEXT   the shapes to draw, full and causal; default 12×1024×64
  --threads N   the rows on so many threads; default 1`;

function read(path) {
  const text = readFileSync(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TypeError(`${path}: not JSON (${error.message})`);
  }
}

try {
  const { values, positionals } = parseArgs({
    options: {
      size: { type: "string", default: "12×1024×64" },
      threads: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (values.help) console.log(USAGE);
  else {
    const [input, output, ...others] = positionals;
    if (output === undefined || others.length > 0) throw new TypeError("an input and an output are needed");
    writeFileSync(output, draw(read(input), { size: values.size, threads: Number(values.threads) }));
  }
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error.message);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
