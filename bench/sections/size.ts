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
    const used = rows.filter(({ module }) => module !== "simd" && module !== "wide");
    const total = used.reduce((sum, row) => sum + (row["kB gzip"] as number), 0);
    return [...rows, { module: "in all", loaded: "relaxed build, several threads", "kB gzip": total }];
  },
};

const WHEN: Record<string, string> = {
  relaxed: "for this build",
  simd: "for this build",
  wide: "for this build, in Node only",
  pool: "for threads",
  worker: "for threads",
};
