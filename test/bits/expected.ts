/** The checked-in hashes, which every host must produce. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Bits } from "./compute.js";

interface Expected {
  readonly cases: Bits;
}

const FILE = resolve("test/bits/expected.json");

export const readExpected = (): Expected =>
  existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Expected) : { cases: {} };

export const writeExpected = (cases: Bits): void =>
  writeFileSync(FILE, `${JSON.stringify({ cases } satisfies Expected, undefined, 2)}\n`);
