/** The charts in the documents: they show what was measured, and state what they leave out. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
// @ts-expect-error a script without types
import { draw as drawing } from "../bench/chart/draw.mjs";
// @ts-expect-error a script without types
import { drawCrossover as drawingCrossover } from "../bench/chart/crossover.mjs";
// @ts-expect-error a script without types
import { drawHeatMap as drawingHeatMap } from "../bench/chart/heatMap.mjs";
import { scaledDotProductAttention as reference } from "../src/reference/index.js";
import { SENTENCE } from "../examples/start/sentence.js";

const draw = drawing as (document: unknown, options?: { size?: string; threads?: number }) => string;
const drawCrossover = drawingCrossover as (document: unknown) => string;
const drawHeatMap = drawingHeatMap as (document: unknown) => string;
const script = fileURLToPath(new URL("../bench/chart/main.mjs", import.meta.url));

const row = (contestant: string, shape: string, median: number, threads = 1, io = "resident") => ({
  contestant,
  shape,
  threads,
  io,
  version: `v-${contestant}`,
  timing: { median, spread: [median, median], calls: 1 },
});
const document = {
  machine: { node: "24.0.0", cpu: "Test <CPU> & more" },
  cold: false,
  rows: [
    row("headwise", "1×16×64 full", 0.015625, 1, "copy"),
    row("headwise", "12×512×64 full", 11.5),
    row("other", "12×1024×64 full", 90.75),
    row("headwise", "12×1024×64 full", 60.25),
    row("slow", "12×1024×64 full", 1234.5),
    row("plain JavaScript", "12×1024×64 full", 80.25),
    row("headwise", "12×1024×64 causal", 30.5),
    row("headwise", "12×1024×64 full", 33.125, 2),
  ],
  absent: [
    { shape: "12×1024×64 causal", entrant: "slow, 1 thread", reason: "skipped: 6 s a call" },
    { shape: "12×1024×64 causal", entrant: "broken, 2 threads", reason: "failed: no memory" },
  ],
};

/** The texts of an SVG, in the order of the file. */
const textsOf = (svg: string): string[] => [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

/** Checks that elements nest, attributes are quoted and unique, and special characters are escaped. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  let isOver = false;
  for (const [, text, closed, name, attributes, isEmpty] of svg
    .trim()
    .matchAll(/([^<]*)<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|[^]/g)) {
    expect(name, "a tag").toBeDefined();
    expect(isOver, "one root").toBe(false);
    expect(`${text}${attributes}`).not.toMatch(/&(?!(amp|lt|gt|quot|apos|#\d+);)/);
    const names = [...attributes!.matchAll(/([\w:-]+)="/g)].map(([, attribute]) => attribute);
    expect(new Set(names).size).toBe(names.length);
    if (closed) expect(open.pop()).toBe(name);
    else if (!isEmpty) open.push(name!);
    isOver = open.length === 0;
  }
  expect(isOver).toBe(true);
}

describe("chart", () => {
  test("is a well-formed SVG, 800 pixels wide, with its own background", () => {
    const svg = draw(document);
    expectWellFormed(svg);
    expect(svg).toMatch(/^<svg width="800" /);
    expect(svg).toMatch(/<rect width="800" height="\d+" x="0" y="0" fill="#ffffff">/);
  });

  test("shows names, versions, values and the conditions", () => {
    const texts = textsOf(draw(document));
    expect(texts).toContain("12 heads × 1024 × 64, float32, one thread: milliseconds, less is better");
    expect(texts).toContain(
      "Test &lt;CPU&gt; &amp; more, Node 24.0.0, inputs and result in each library&#39;s memory; a broken bar is longer than drawn",
    );
    for (const text of ["full", "causal", "headwise v-headwise", "other v-other", "60.3", "90.8", "30.5"])
      expect(texts).toContain(text);
  });

  test("names plain JavaScript without a version", () => {
    expect(textsOf(draw(document))).toContain("plain JavaScript");
  });

  test("has dark colours for readers who prefer them", () => {
    const style = /^<svg [^>]*>\s*<style>\s*@media \(prefers-color-scheme: dark\) \{([^]*?)\}\s*<\/style>/.exec(
      draw(document),
    )![1]!;
    for (const colour of new Set(draw(document).match(/(?<=(?:fill|stroke)=")#[0-9a-f]{6}/g)))
      if (colour !== "#3c3c41") expect(style).toContain(`[fill="${colour}"]`); // echarts' outline of transparent shapes
  });

  test("has the same bytes each time", () => {
    expect(draw(document)).toBe(draw(document));
  });

  test("puts the fastest first", () => {
    const texts = textsOf(draw(document)).filter((text) => / v-/.test(text));
    expect(texts).toEqual(["headwise v-headwise", "other v-other", "slow v-slow", "headwise v-headwise"]);
  });

  test("breaks the bar that would hide the others, and names contestants that were not timed", () => {
    const svg = draw(document);
    const texts = textsOf(svg);
    expect(texts).toContain("1230");
    const gap = /<polygon points="684 \d+ 690 \d+ 682 \d+ 676 \d+" fill="#ffffff">/g;
    expect(svg.match(gap)?.length).toBe(1);
    expect(draw({ ...document, rows: document.rows.filter(({ contestant }) => contestant !== "slow") })).not.toMatch(gap);
    expect(texts).toContain("slow");
    expect(texts).toContain("skipped");
    expect(texts).not.toContain("broken");
  });

  test("draws the requested size and number of threads", () => {
    expect(textsOf(draw(document))).not.toContain("33.1");
    expect(textsOf(draw(document, { threads: 2 }))).toContain("33.1");
    const small = textsOf(draw(document, { size: "1×16×64" }));
    expect(small).toContain("0.0156");
    expect(small).toContain("Test &lt;CPU&gt; &amp; more, Node 24.0.0, arrays in and out at each call");
  });

  test("refuses other documents", () => {
    const refusal = new TypeError("not a document of npm run bench:rivals -- --json FILE");
    for (const other of [null, 7, [], {}, { machine: {}, rows: [{ shape: "12×1024×64 full" }] }])
      expect(() => draw(other)).toThrow(refusal);
    expect(() => draw({ ...document, cold: true })).toThrow(
      new TypeError("the document holds cold starts, which this chart does not show"),
    );
    expect(() => draw(document, { threads: 7 })).toThrow(
      /^no rows of 12×1024×64 on 7 thread\(s\) in the document, which holds 1×16×64/,
    );
  });

  test("is a command that writes the same bytes, or reports what is wrong", () => {
    const folder = mkdtempSync(join(tmpdir(), "headwise-chart-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [input, output] = [join(folder, "input.json"), join(folder, "output.svg")];
    const run = () => spawnSync(process.execPath, [script, input, output], { encoding: "utf8" });

    writeFileSync(input, JSON.stringify(document));
    expect(run()).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(output, "utf8")).toBe(draw(document));

    writeFileSync(input, '{ "rows": 1 }');
    const refused = run();
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/^not a document of npm run bench:rivals/);
  });
});

describe("linear and softmax attention by length", () => {
  const point = (shape: string, linear: number, softmax: number | undefined) => ({
    build: "relaxed",
    shape,
    ms: linear,
    "softmax attention, ms": softmax,
  });
  const measured = {
    machine: { node: "24.0.0", cpu: "Test <CPU>" },
    results: {
      linear: [
        point("12×16384×64 full", 88, undefined),
        point("12×64×64 full", 0.31, 0.27),
        point("12×128×64 full", 0.625, 1.015),
        point("12×64×64 causal", 0.4, 0.18),
        point("12×128×64 causal", 0.8, 0.625),
      ],
    },
  };

  test("shows both curves of both masks, the lengths, and the values at the ends of the curves", () => {
    const svg = drawCrossover(measured);
    expectWellFormed(svg);
    const texts = textsOf(svg);
    for (const text of ["full", "causal", "64", "128", "linear 0.625", "softmax 1.01", "linear 0.8", "softmax 0.625"])
      expect(texts).toContain(text);
    expect(texts.filter((text) => text === "rows, log scale")).toHaveLength(2);
    expect(texts.filter((text) => text === "milliseconds, log scale")).toHaveLength(2);
    expect(texts).not.toContain("16384");
    expect(drawCrossover(measured)).toBe(svg);
  });

  test.each([
    [{}, "not a document of npm run bench -- linear --json"],
    [{ machine: {}, results: { linear: [] } }, "the document holds no rows of both kinds of attention"],
  ])("refuses %j", (document, message) => {
    expect(() => drawCrossover(document)).toThrow(new TypeError(message));
  });
});

describe("what docs/ shows", () => {
  const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

  test.each(["rivals", "linear", "attention"])("docs/%s.svg is drawn from bench/chart/data", (name) => {
    const document = JSON.parse(read(`bench/chart/data/${name}.json`)) as unknown;
    const svg = { rivals: draw, linear: drawCrossover, attention: drawHeatMap }[name]!(document);
    expectWellFormed(svg);
    expect(read(`docs/${name}.svg`)).toBe(svg);
  });

  test.each(["full", "causal"] as const)("the %s weights of the sentence match the reference", (mask) => {
    const { tokens, weights } = JSON.parse(read("bench/chart/data/attention.json")) as {
      tokens: string[];
      weights: Record<"full" | "causal", number[][]>;
    };
    expect(tokens).toEqual(SENTENCE.tokens);
    const tensor = (rows: readonly (readonly number[])[]) => ({ data: Float64Array.from(rows.flat()), dims: [6, 3] });
    const truth = { data: new Float64Array(36), dims: [6, 6] };
    const options = { causal: mask === "causal", weights: truth };
    reference(tensor(SENTENCE.queries), tensor(SENTENCE.keys), tensor(SENTENCE.values), options);
    for (const [index, weight] of weights[mask].flat().entries())
      expect(Math.abs(weight - truth.data[index]!)).toBeLessThan(5.1e-5);
  });

  test("a heat map refuses other documents", () => {
    const refusal = new TypeError("not a document of { tokens, weights: { full, causal } }");
    for (const other of [
      null,
      {},
      { tokens: ["a"], weights: { full: [[1]] } },
      { tokens: ["a"], weights: { full: [[1]], causal: [[1, 2]] } },
    ])
      expect(() => drawHeatMap(other)).toThrow(refusal);
  });
});
