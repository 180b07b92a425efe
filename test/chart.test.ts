/** The chart that the documents show: what was measured stands in it, and nothing else is drawn. */
import { describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { draw as drawing } from "../bench/chart/draw.mjs";

const draw = drawing as (document: unknown, threads?: number) => string;

const row = (contestant: string, shape: string, median: number, threads = 1, io = "resident") => ({
  ...{ contestant, shape, threads, io, version: `v-${contestant}` },
  timing: { median, spread: [median, median], calls: 1 },
});
const document = {
  machine: { node: "24.0.0", cpu: "Test CPU" },
  rows: [
    row("headwise", "full", 60.25),
    row("headwise", "causal", 30.5),
    row("other", "full", 90.75),
    row("slow", "full", 1234.5),
    row("slow", "causal", 700.5),
    row("headwise", "full", 33.125, 2),
    row("other", "full", 0.0625, 1, "copy"),
  ],
};

describe("chart", () => {
  test("is an SVG that holds names, versions and values", () => {
    const svg = draw(document);
    for (const text of ["headwise v-headwise", "other v-other", "60.3", "30.5", "90.8", "Test CPU", "Node 24.0.0", "one thread"])
      expect(svg).toContain(text);
    expect(svg).toMatch(/^<svg [^>]*width="800"[^>]*>[^]*<\/svg>$/);
    const opened = [...svg.matchAll(/<([a-z]+)(?=[\s>])[^>]*?(\/?)>/g)].filter(([, , closed]) => !closed).length;
    expect(opened).toBe([...svg.matchAll(/<\/[a-z]+>/g)].length);
  });

  test("names what would hide the others instead of drawing it", () => {
    const svg = draw(document);
    expect(svg).toContain("not drawn: slow: 1230 and 701 ms");
    expect(svg).not.toContain("slow v-slow");
  });

  test("draws one number of threads and one mode", () => {
    expect(draw(document)).not.toContain(">33.1<");
    expect(draw(document, 2)).toContain(">33.1<");
    expect(draw(document)).not.toContain(">0.0625<");
  });

  test("refuses other documents", () => {
    expect(() => draw({ machine: {}, results: {} })).toThrow(
      new TypeError("not a document of npm run bench:rivals -- --json FILE"),
    );
    expect(() => draw(document, 7)).toThrow(new TypeError("the document holds no rows on 7 thread(s) with resident inputs"));
  });
});
