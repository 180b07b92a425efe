/** The pictures that the experiments in examples/lab draw. */
import { describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { blocks as blocksOf, heatmap as heatmapOf, heatmaps as heatmapsOf, links as linksOf } from "../examples/lab/picture.mjs";

type Rows = number[][];
const blocks = blocksOf as (matrix: Rows) => string;
const heatmap = heatmapOf as (matrix: Rows, options?: object) => string;
const heatmaps = heatmapsOf as (panels: object[], options?: object) => string;
const links = linksOf as (panels: object[], options?: object) => string;

const textsOf = (svg: string): string[] => [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

/** The cells of each colour: how many there are, by fill and opacity. */
const cellsOf = (svg: string): Record<string, number> =>
  Object.fromEntries(
    [...svg.matchAll(/<path d="([^"]*)" fill="(#\w+)" fill-opacity="([\d.]+)"\/>/g)].map(([, path, fill, opacity]) => [
      `${fill} ${opacity}`,
      path!.match(/M/g)!.length,
    ]),
  );

const WARM = "#b45309";
const COLD = "#1d4ed8";

describe("heatmap", () => {
  test("a stronger colour is a number farther from 0, another hue one below it; 0, NaN and −∞ have none", () => {
    const svg = heatmap([
      [1, 0.5, 0],
      [-1, NaN, -Infinity],
    ]);
    expect(cellsOf(svg)).toEqual({ [`${WARM} 0.9`]: 1, [`${WARM} 0.45`]: 1, [`${COLD} 0.9`]: 1 });
    expect(textsOf(svg)).toEqual(["1.00", "0.50", "0.00", "-1.00"]);
  });

  test("a palest number takes the place of 0", () => {
    const svg = heatmap([[0.5, 0.75, 1]], { palest: 0.5 });
    expect(cellsOf(svg)).toEqual({ [`${WARM} 0.45`]: 1, [`${WARM} 0.9`]: 1 });
  });

  test("labels, titles and numbers, escaped; no numbers in many cells unless their digits are given", () => {
    const svg = heatmap([[0.125]], { rows: ["<row>"], columns: ["a & b"], title: 'the "title"', digits: 3 });
    expect(textsOf(svg).sort()).toEqual(["&lt;row&gt;", "0.125", "a &amp; b", "the &quot;title&quot;"]);
    const many = Array.from({ length: 9 }, () => new Array<number>(9).fill(1));
    expect(textsOf(heatmap(many))).toEqual([]);
    expect(textsOf(heatmap(many, { digits: 0 }))).toHaveLength(81);
  });

  test("panels stand side by side, and in several lines where they are wide", () => {
    const panel = { matrix: Array.from({ length: 20 }, () => new Array<number>(20).fill(1)) };
    const cornersOf = (count: number): string[] =>
      [...heatmaps(new Array<object>(count).fill(panel)).matchAll(/translate\((\d+) (\d+)\)/g)].map(([, x, y]) => `${x} ${y}`);
    expect(cornersOf(3)).toEqual(["16 16", "476 16", "16 456"]);
  });

  test("has dark colours for readers who prefer them, for every colour that it uses", () => {
    const svg = heatmap([[1, -1]], { title: "a title" });
    const style = /@media \(prefers-color-scheme: dark\) \{([^]*?)\}\s*<\/style>/.exec(svg)![1]!;
    const body = svg.split("</style>")[1]!;
    const colours = new Set(body.match(/(?<=(?:fill|stroke)=")#[0-9a-f]{6}/g));
    expect(colours.size).toBeGreaterThan(3);
    for (const colour of colours) expect(style).toContain(`[fill="${colour}"]`);
  });
});

test("links: a line for each weight that is large enough, the wider the larger", () => {
  const weights = [
    [1, 0.01],
    [0.5, 0.5],
  ];
  const svg = links([{ weights, from: ["a", "b"], to: ["c", "d"] }]);
  expect([...svg.matchAll(/stroke-width="([\d.]+)"/g)].map(([, width]) => Number(width))).toEqual([5.5, 3, 3]);
  expect(textsOf(svg)).toEqual(["a", "b", "c", "d"]);
  expect(links([{ weights, from: ["a", "b"], to: ["c", "d"] }], { least: 0.6 }).match(/stroke-width/g)).toHaveLength(1);
});

test("blocks: darker ones are farther from 0", () => {
  expect(
    blocks([
      [0, 0.25, 0.5],
      [-0.75, 1, NaN],
    ]),
  ).toBe("  ░░▒▒\n▓▓██  ");
});
