/** What a page downloads: the packaged modules, bundled and minified, compressed as a server does it. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import type { Row, Section } from "../context.js";

const entry = fileURLToPath(new URL("../../../../dist/index.js", import.meta.url));

export const size: Section = {
  name: "size",
  title: "Size: what a page downloads, bundled and minified",
  async run(): Promise<Row[]> {
    const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "silent" });
    const { output } = await bundle.generate({ format: "esm", minify: true });
    await bundle.close();
    const rows: Row[] = [];
    for (const chunk of output) {
      if (chunk.type !== "chunk") continue;
      const kilobytes = (bytes: number): number => bytes / 1000;
      rows.push({
        module: chunk.isEntry ? "headwise" : chunk.name,
        loaded: chunk.isEntry ? "always" : (WHEN[chunk.name] ?? "with it"),
        kB: kilobytes(Buffer.byteLength(chunk.code)),
        "kB gzip": kilobytes(gzipSync(chunk.code, { level: 9 }).byteLength),
      });
    }
    const total = (left: readonly string[]): number =>
      rows.filter(({ module }) => !left.includes(module as string)).reduce((sum, row) => sum + (row["kB gzip"] as number), 0);
    const other = ["simd", "attention-simd", "wide", "attention-wide"];
    return [
      ...rows,
      {
        module: "attention in all",
        loaded: "relaxed build, several threads",
        "kB gzip": total([...other, "relaxed", "fullEngine"]),
      },
      { module: "all operations", loaded: "relaxed build, several threads", "kB gzip": total([...other, "attention-relaxed"]) },
    ];
  },
};

const WHEN: Record<string, string> = {
  "attention-relaxed": "for this build",
  "attention-simd": "for this build",
  "attention-wide": "for this build, in Node only",
  relaxed: "for this build with all operations",
  simd: "for this build with all operations",
  wide: "for this build with all operations, in Node only",
  fullEngine: "for all operations",
  pool: "for threads",
  worker: "for threads",
  workerHost: "for threads",
};
