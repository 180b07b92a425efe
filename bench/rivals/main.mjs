/** `npm run bench -- rivals`: headwise next to other libraries on the same inputs. README.md says what makes it fair. */
import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { accuracies } from "./accuracy.mjs";
import { coldStarts } from "./coldStart.mjs";
import { labelOf } from "./entrant.mjs";
import { readOptions, USAGE } from "./options.mjs";
import { race } from "./race.mjs";

const progress = (text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

const significant = (value, digits) => Number(value.toPrecision(digits));

function printErrors({ rows, absent }) {
  progress("");
  console.table(
    rows.map(({ shape, contestant, version, error, meanError }) => ({
      shape,
      contestant,
      version,
      "rms error": meanError.toExponential(2),
      "max abs error": error.toExponential(2),
    })),
  );
  printAbsent(absent);
}

const printAbsent = (absent) => {
  for (const { shape, entrant, reason } of absent) console.log(`${shape}: ${entrant}: ${reason}`);
};

function print({ rows, absent }) {
  progress("");
  if (rows.length > 0)
    console.table(
      rows.map(({ shape, io, contestant, version, threads, timing, gigaflops, gigaelements, ofHeadwise, error }) => ({
        shape,
        io,
        contestant,
        version,
        threads,
        ms: significant(timing.median, 3),
        "1st quartile": significant(timing.spread[0], 3),
        "3rd quartile": significant(timing.spread[1], 3),
        ...(gigaflops && { "GFLOP/s": Number(gigaflops.toFixed(1)) }),
        ...(gigaelements && { "Gelements/s": Number(gigaelements.toFixed(3)) }),
        ...(ofHeadwise && { "× headwise": Number(ofHeadwise.toFixed(2)) }),
        "max abs error": error.toExponential(1),
      })),
    );
  printAbsent(absent);
}

function read() {
  try {
    return readOptions();
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { shapes, entrants, ioOf, rounds, limit, cold, accuracy, json, help } = read();
if (help) {
  console.log(USAGE);
  process.exit();
}
if (!existsSync(new URL("node_modules", import.meta.url))) {
  console.error("The other libraries are not installed. To install them:\n\n  npm ci --ignore-scripts --prefix bench/rivals");
  process.exit(1);
}

const { node, v8 } = process.versions;
const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node, v8 };
console.log(`${machine.cpu}, ${machine.cores} cores, Node ${node} (V8 ${v8})`);
if (cold) console.log(`from before the import to the first result, ${rounds} processes each`);
const everything = { rows: [], absent: [] };
for (const shape of shapes) {
  const run = cold ? coldStarts : race;
  const measured = accuracy
    ? await accuracies(shape, entrants, { progress })
    : await run(shape, ioOf(shape), entrants, { rounds, limit, progress });
  (accuracy ? printErrors : print)(measured);
  everything.rows.push(...measured.rows);
  everything.absent.push(...measured.absent);
}
if (json) {
  const document = { machine, cold, rounds, entrants: entrants.map(labelOf), ...everything };
  writeFileSync(json, `${JSON.stringify(document, null, 2)}\n`);
}
