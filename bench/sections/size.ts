/** What a page downloads. */
import { fileURLToPath } from "node:url";
import type { Row, Section } from "../context.js";
import { BUDGETS, bundlePage, gzipBytesOf, type PageEntry } from "../pageSize.js";

const dist = fileURLToPath(new URL("../../../../dist", import.meta.url));

const kilobytes = (bytes: number): number => bytes / 1000;

export default {
  name: "size",
  title: "Size: what a page downloads, bundled and minified",
  async run(): Promise<Row[]> {
    const rows: Row[] = [];
    for (const entry of Object.keys(BUDGETS) as PageEntry[]) {
      const page = await bundlePage(dist, entry);
      for (const { name, loaded, bytes, gzipBytes } of page.files)
        rows.push({ entry, module: name, loaded, kB: kilobytes(bytes), "kB gzip": kilobytes(gzipBytes) });
      for (const build of ["simd", "relaxed"] as const) {
        rows.push({
          entry,
          module: "in all",
          loaded: `build ${build}, several threads`,
          "kB gzip": kilobytes(gzipBytesOf(page.filesFor(build))),
          "at most": kilobytes(BUDGETS[entry]),
        });
      }
    }
    return rows;
  },
} satisfies Section;
