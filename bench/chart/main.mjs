/** `npm run chart -- INPUT.json OUTPUT.svg`: draws what the benches measured. data/ holds the data behind the charts in docs/. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { drawCrossover } from "./crossover.mjs";
import { draw } from "./draw.mjs";
import { drawHeatMap } from "./heatMap.mjs";

const USAGE = `npm run chart -- INPUT.json OUTPUT.svg [--size TEXT] [--threads N]

  INPUT.json    written by npm run bench:rivals -- --json INPUT.json, printed by npm run bench -- linear --json,
                or weights of a sentence as in bench/chart/data/attention.json
  --size TEXT   the shapes to draw, full and causal; default 12×1024×64
  --threads N   rows measured on that many threads; default 1`;

function read(path) {
  const text = readFileSync(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TypeError(`${path}: not JSON (${error.message})`);
  }
}

function drawing(document, options) {
  if (document?.results?.linear) return drawCrossover(document);
  if (document?.tokens) return drawHeatMap(document);
  return draw(document, options);
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
    if (output === undefined || others.length > 0) throw new TypeError("expected an input and an output");
    const document = read(input);
    writeFileSync(output, drawing(document, { size: values.size, threads: Number(values.threads) }));
  }
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error.message);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
