/** A chart of what `npm run bench:rivals` measured: one bar a contestant and shape, less is better. */
import * as echarts from "echarts";

const WIDTH = 800;
const BAR_HEIGHT = 17;
/** Contestants this much slower than headwise are named below the title: their bars would hide all others. */
const OUTLIER = 10;

/** The colour of each shape, for headwise and for the others. */
const COLOURS = [
  { own: "#b45309", other: "#64748b" },
  { own: "#f59e0b", other: "#cbd5e1" },
];

const milliseconds = (value) => `${Number(value.toPrecision(3))}`;

/**
 * SVG of the rows with `threads` threads.
 *
 * @throws {TypeError} the document is not what `npm run bench:rivals -- --json FILE` writes, or holds no such rows
 */
export function draw({ machine, rows }, threads = 1) {
  if (!Array.isArray(rows) || !rows.every((row) => row.contestant && row.timing)) {
    throw new TypeError("not a document of npm run bench:rivals -- --json FILE");
  }
  const drawn = rows.filter((row) => row.threads === threads && row.io === "resident");
  if (drawn.length === 0) throw new TypeError(`the document holds no rows on ${threads} thread(s) with resident inputs`);
  const shapes = [...new Set(drawn.map(({ shape }) => shape))].slice(0, COLOURS.length);
  const medianOf = (contestant, shape) => drawn.find((row) => row.contestant === contestant && row.shape === shape)?.timing.median;
  const own = Math.max(...shapes.map((shape) => medianOf("headwise", shape) ?? 0));
  const speed = (contestant) => medianOf(contestant, shapes[0]) ?? Infinity;

  const all = [...new Set(drawn.map(({ contestant }) => contestant))].sort((a, b) => speed(b) - speed(a));
  const isOutlier = (contestant) => own > 0 && speed(contestant) > OUTLIER * own;
  const contestants = all.filter((contestant) => !isOutlier(contestant));
  const outliers = all
    .filter(isOutlier)
    .map((contestant) => `${contestant}: ${shapes.map((shape) => milliseconds(medianOf(contestant, shape))).join(" and ")} ms`);
  const versionOf = (contestant) => drawn.find((row) => row.contestant === contestant).version.split(" ")[0]; // without the operator, which may differ by shape

  const height = 110 + contestants.length * (shapes.length * BAR_HEIGHT + 14);
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: {
      text: `${shapes.join(" and ")}: milliseconds, less is better`,
      subtext: [
        `float32, ${threads === 1 ? "one thread" : `${threads} threads`}, Node ${machine.node}, ${machine.cpu}`,
        ...outliers.map((text) => `not drawn: ${text}`),
      ].join("; "),
      left: 10,
      textStyle: { fontSize: 15 },
    },
    legend: { bottom: 4, data: shapes, selectedMode: false },
    grid: { left: 10, right: 60, top: 64, bottom: 34, containLabel: true },
    xAxis: { type: "value", splitLine: { lineStyle: { color: "#e5e7eb" } } },
    yAxis: {
      type: "category",
      data: contestants.map((contestant) => `${contestant} ${versionOf(contestant)}`),
      axisLabel: { width: 250, overflow: "break" },
      axisTick: { show: false },
    },
    series: shapes.map((shape) => {
      const { own, other } = COLOURS[shapes.indexOf(shape)];
      return {
        name: shape,
        type: "bar",
        silent: true,
        color: other,
        barWidth: BAR_HEIGHT - 3,
        label: { show: true, position: "right", color: "#111827", formatter: ({ value }) => (value ? milliseconds(value) : "") },
        data: contestants.map((contestant) => ({
          value: medianOf(contestant, shape),
          itemStyle: { color: contestant === "headwise" ? own : other },
        })),
      };
    }),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
