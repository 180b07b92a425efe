/** A chart of what `npm run bench -- linear` measured: softmax and linear attention by length, full and causal. */
import * as echarts from "echarts";
import { asImage, COLOURS, significant } from "./style.mjs";

/** Pixels. */
const WIDTH = 800;
const HEIGHT = 420;
const PANEL_WIDTH = 310;
const LEFT = [76, 468];

const MASKS = ["full", "causal"];

/** Points of a mask by length, where both kinds were timed. */
function pointsOf(rows, mask) {
  return rows
    .map((row) => ({ row, match: /^12×(\d+)×64 (full|causal)$/.exec(row.shape) }))
    .filter(({ row, match }) => match?.[2] === mask && typeof row["softmax attention, ms"] === "number")
    .map(({ row, match }) => ({ length: Number(match[1]), linear: row.ms, softmax: row["softmax attention, ms"] }))
    .sort((a, b) => a.length - b.length);
}

/**
 * SVG of both curves. The same document gives the same bytes.
 *
 * @throws {TypeError} the document is not what `npm run bench -- linear --json` prints
 */
export function drawCrossover(document) {
  const rows = document?.results?.linear;
  if (!document?.machine || !Array.isArray(rows)) throw new TypeError("not a document of npm run bench -- linear --json");
  const panels = MASKS.map((mask) => ({ mask, points: pointsOf(rows, mask) }));
  if (panels.some(({ points }) => points.length === 0))
    throw new TypeError("the document holds no rows of both kinds of attention");

  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  const { machine } = document;
  chart.setOption({
    animation: false,
    backgroundColor: COLOURS.ground,
    textStyle: { color: COLOURS.text },
    title: [
      {
        text: "12 heads × rows × 64, float32, one thread: milliseconds by rows, less is better",
        subtext: `${machine.cpu}, Node ${machine.node}, build ${rows[0].build}, inputs and result in the engine's memory`,
        left: 16,
        top: 14,
        padding: 0,
        textStyle: { fontSize: 16, color: COLOURS.text },
        subtextStyle: { fontSize: 12, color: COLOURS.aside },
      },
      ...panels.map(({ mask }, index) => ({
        text: mask,
        left: LEFT[index],
        top: 66,
        padding: 0,
        textStyle: { fontSize: 14, color: COLOURS.text },
      })),
    ],
    grid: panels.map((_, index) => ({ left: LEFT[index], width: PANEL_WIDTH, top: 96, bottom: 60 })),
    xAxis: panels.map(({ points }, gridIndex) => ({
      gridIndex,
      type: "category",
      data: points.map(({ length }) => String(length)),
      ...axisNamed("rows, log scale", 28),
    })),
    yAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: "log",
      min: 0.1,
      max: 1000,
      splitLine: { lineStyle: { color: COLOURS.grid } },
      ...axisNamed("milliseconds, log scale", 44),
    })),
    series: panels.flatMap(({ points }, index) => [
      lineOf("softmax", index, points, COLOURS.others),
      lineOf("linear", index, points, COLOURS.headwise),
    ]),
  });
  const svg = asImage(chart.renderToSVGString());
  chart.dispose();
  return svg;
}

/** @param nameGap  pixels between an axis and its name */
const axisNamed = (name, nameGap) => ({
  name,
  nameGap,
  nameLocation: "middle",
  nameTextStyle: { fontSize: 12, color: COLOURS.aside },
  axisLabel: { fontSize: 12, color: COLOURS.aside },
  axisLine: { lineStyle: { color: COLOURS.aside } },
});

/** A curve, with its name and value at its end. */
const lineOf = (name, index, points, color) => ({
  type: "line",
  xAxisIndex: index,
  yAxisIndex: index,
  symbol: "circle",
  symbolSize: 6,
  silent: true,
  itemStyle: { color },
  lineStyle: { color, width: 2 },
  data: points.map((point, at) => ({
    value: point[name],
    label: {
      show: at === points.length - 1,
      ...(name === "softmax" ? { position: "left" } : { position: "bottom", offset: [-10, 14] }),
      distance: 12,
      fontSize: 13,
      color: COLOURS.text,
      formatter: `${name} ${significant(point[name])}`,
    },
  })),
});
