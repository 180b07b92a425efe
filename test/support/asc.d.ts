/** The part of asc that the tests use. Its own declarations redefine globals (console, Array, Math) for every file of a program. */
export function main(
  argv: string[],
  options: {
    readFile(name: string, baseDir: string): string | null;
    writeFile(name: string, contents: string | Uint8Array, baseDir: string): void;
    listFiles(dirName: string, baseDir: string): string[] | null;
  },
): Promise<{ error: Error | null; stderr: { toString(): string } }>;
