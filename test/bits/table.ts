/** The hosts' answers as a table: a row for each case, a column for each host. */
import { type Bits, differences } from "./compute.js";
import type { Answer } from "./host.js";
import type { BitsHost } from "./run.js";

interface Asked {
  readonly host: BitsHost;
  /** Undefined if the host is not available. */
  readonly answer: Answer | undefined;
}

/** One cell: a tick, or which outputs differ. */
function cellOf({ bits, shared }: Answer, name: string, expected: Bits): string {
  const differing = (found: Bits | undefined): string[] =>
    found ? (differences({ [name]: found[name] ?? {} }, { [name]: expected[name] ?? {} }).get(name) ?? []) : [];
  const [alone, together] = [differing(bits), differing(shared)];
  if (alone.length > 0) return `differs: ${alone.join(", ")}`;
  return together.length > 0 ? `differs on 2 threads: ${together.join(", ")}` : "✓";
}

function printColumns(lines: readonly (readonly string[])[]): void {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    );
}

/** Prints it; false if no host ran, or if one did not give the expected hashes. */
export function printTable(asked: readonly Asked[], expected: Bits): boolean {
  const ran = asked.flatMap(({ host, answer }) => (answer?.bits ? [{ host, answer, bits: answer.bits }] : []));
  const names = [...new Set([...Object.keys(expected), ...ran.flatMap(({ bits }) => Object.keys(bits))])];
  const cells = names.map((name) => ran.map(({ answer }) => cellOf(answer, name, expected)));
  const isAsExpected = cells.every((line) => line.every((cell) => cell === "✓"));
  if (ran.length > 0)
    printColumns([["case", ...ran.map(({ host }) => host.name)], ...cells.map((line, index) => [names[index]!, ...line])]);

  console.log("");
  printColumns(
    asked.map(({ host, answer }): string[] => {
      if (host.reason !== undefined) return [host.name, "", "", `not run: ${host.reason}`];
      const { engine, bits, shared, sharedReason, problem } = answer!;
      if (!bits) return [host.name, host.version, engine, `failed: ${problem}`];
      const differing = differences(bits, expected).size + (shared ? differences(shared, expected).size : 0);
      const threads = shared ? "1 and 2 threads" : `1 thread, not run on 2: ${sharedReason}`;
      return [host.name, host.version, engine, `${differing === 0 ? "every bit as expected" : `${differing} differ`}, ${threads}`];
    }),
  );
  console.log(`\n${names.length} cases, ${names.reduce((sum, name) => sum + Object.keys(expected[name] ?? {}).length, 0)} results`);
  return (
    ran.length > 0 && isAsExpected && asked.every(({ host, answer }) => host.reason !== undefined || answer?.bits !== undefined)
  );
}
