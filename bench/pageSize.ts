/** What a page downloads: the package bundled and minified, each file compressed as a server would. */
import { realpathSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { type OutputChunk, rolldown } from "rolldown";

/** The most that a page may download, in bytes with gzip: the JavaScript for several threads, and one build. */
export const BUDGETS = { "headwise/attention": 45_000, headwise: 110_000 } as const;
export type PageEntry = keyof typeof BUDGETS;

/** The entries' files in dist/, and the names of their builds. */
const ENTRIES: Record<PageEntry, { readonly file: string; readonly binaryOf: (build: string) => string }> = {
  "headwise/attention": { file: "attention.js", binaryOf: (build) => `attention-${build}` },
  headwise: { file: "index.js", binaryOf: (build) => build },
};

/** When a page loads the files that are imported on demand, by their path in dist/. */
const LAZY: Record<string, string> = {
  "runtime/pool.js": "for threads",
  "runtime/binary/worker.js": "for threads",
  "workerEngine/openWorkerEngine.js": "for engines in a worker",
  "runtime/binary/attentionWorker.js": "for an engine in a worker",
  "runtime/binary/engineWorker.js": "for an engine in a worker",
  "runtime/binary/attention-relaxed.js": "for this build",
  "runtime/binary/attention-simd.js": "for this build",
  "runtime/binary/attention-wide.js": "for this build, in Node only",
  "runtime/binary/relaxed.js": "for this build",
  "runtime/binary/simd.js": "for this build",
  "runtime/binary/wide.js": "for this build, in Node only",
};

/** A file of the bundle. */
export interface PageFile {
  readonly name: string;
  readonly loaded: string;
  /** The package's files in it. */
  readonly modules: readonly string[];
  readonly code: string;
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** The package as a page gets it. */
export interface Page {
  readonly files: readonly PageFile[];
  /** What is loaded up front. */
  readonly initial: readonly PageFile[];
  /** What is loaded for it on several threads. */
  filesFor(build: "simd" | "relaxed"): readonly PageFile[];
}

/** The sum of the files' sizes. */
export const gzipBytesOf = (files: readonly PageFile[]): number => files.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0);

/** A page's own script, by which a bundler begins. */
const PAGE = "page";

/** Bundles the package in the folder `packaged` as for a page that uses all of an entry. */
export async function bundlePage(packaged: string, entry: PageEntry): Promise<Page> {
  const dist = realpathSync(packaged);
  const { file, binaryOf } = ENTRIES[entry];
  const script = `import * as all from ${JSON.stringify(join(dist, file))}; globalThis.headwise = all;`;
  const plugin = {
    name: PAGE,
    resolveId: (id: string) => (id === PAGE ? id : null),
    load: (id: string) => (id === PAGE ? script : null),
  };
  const bundle = await rolldown({ input: PAGE, plugins: [plugin], platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  const chunks = output.filter((each) => each.type === "chunk");
  const main = chunks.find(({ isEntry }) => isEntry)!;
  /** The file's path in dist/, where a chunk is that file and what only it needs. */
  const pathOf = ({ facadeModuleId }: OutputChunk): string =>
    facadeModuleId === null ? "" : relative(dist, facadeModuleId).replaceAll("\\", "/");
  const chunkOf = (path: string): OutputChunk => chunks.find((chunk) => pathOf(chunk) === path)!;

  /** The chunks, and those that they import statically. */
  const withImports = (wanted: readonly OutputChunk[]): Set<OutputChunk> => {
    const found = new Set(wanted);
    // Iterating over a set also visits what is added meanwhile.
    for (const { imports } of found) for (const name of imports) found.add(chunks.find(({ fileName }) => fileName === name)!);
    return found;
  };
  const initial = withImports([main]);

  const files = new Map<OutputChunk, PageFile>();
  for (const chunk of chunks) {
    const { name, code, moduleIds } = chunk;
    const path = pathOf(chunk);
    if (chunk.isDynamicEntry && !(path in LAZY)) throw new Error(`bench/pageSize.ts must say when a page loads dist/${path}`);
    files.set(chunk, {
      name: chunk === main ? entry : name,
      loaded: initial.has(chunk) ? "always" : (LAZY[path] ?? "with those that share it"),
      modules: moduleIds.map((id) => id.replaceAll("\\", "/")),
      code,
      bytes: Buffer.byteLength(code),
      gzipBytes: gzipSync(code, { level: 9 }).byteLength,
    });
  }
  const filesOf = (wanted: Iterable<OutputChunk>): PageFile[] => Array.from(wanted, (chunk) => files.get(chunk)!);
  return {
    files: filesOf(chunks),
    initial: filesOf(initial),
    filesFor(build) {
      const lazy = ["runtime/pool.js", "runtime/binary/worker.js", `runtime/binary/${binaryOf(build)}.js`];
      return filesOf(withImports([main, ...lazy.map(chunkOf)]));
    },
  };
}
