/** What a page downloads. */
import { fileURLToPath } from "node:url";
import type { Row, Section } from "../context.js";
import { BUDGETS, bundlePage, gzipBytesOf } from "../pageSize.js";

const entry = fileURLToPath(new URL("../../../../dist/index.js", import.meta.url));

const kilobytes = (bytes: number): number => bytes / 1000;

export default {
  name: "size",
  title: "Size: what a page downloads, bundled and minified",
  async run(): Promise<Row[]> {
    const page = await bundlePage(entry);
    const rows: Row[] = page.files.map(({ name, loaded, bytes, gzipBytes }) => ({
      module: name,
      loaded,
      kB: kilobytes(bytes),
      "kB gzip": kilobytes(gzipBytes),
    }));
    for (const operations of ["attention", "all"] as const) {
      for (const build of ["simd", "relaxed"] as const) {
        rows.push({
          module: operations === "all" ? "all operations" : "attention in all",
          loaded: `build ${build}, several threads`,
          "kB gzip": kilobytes(gzipBytesOf(page.filesFor(operations, build))),
          "at most": kilobytes(BUDGETS[operations]),
        });
      }
    }
    return rows;
  },
} satisfies Section;
