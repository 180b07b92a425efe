/** A chart of what `npm run bench:rivals` measured: one group of bars per mask, one bar per contestant, fastest first. */
import * as echarts from "echarts";
import { asImage, COLOURS, significant } from "./style.mjs";

const GROUPS = ["full", "causal"];

/** Pixels. */
const WIDTH = 800;
const ROW_HEIGHT = 26;
const LABEL_WIDTH = 300;
const VALUE_WIDTH = 72;
const HEAD_HEIGHT = 56;
const GROUP_HEAD_HEIGHT = 36;

/** Bars longer than this many times headwise's are broken: they would hide the differences between all others. */
const LONGEST = 10;

/** Stated here, so that only headwise shows a version. */
const WITHOUT_VERSION = new Set(["plain JavaScript"]);

/** The break of a bar: a slanted gap, as wide as BREAK_WIDTH, before the bar's last BREAK_FROM_END pixels. */
const BREAK_WIDTH = 6;
const BREAK_FROM_END = 44;
const BREAK_SLANT = 8;

/** @throws {TypeError} it is not what `npm run bench:rivals -- --json FILE` writes */
function check(document) {
  const isRow = (row) => typeof row?.contestant === "string" && typeof row.timing?.median === "number";
  if (!document?.machine || !Array.isArray(document.rows) || !document.rows.every(isRow))
    throw new TypeError("not a document of npm run bench:rivals -- --json FILE");
  if (document.cold) throw new TypeError("the document holds cold starts, which this chart does not show");
}

/** The contestants that were timed, fastest first, then the others with the first word of the reason. */
function entriesOf({ rows, absent = [] }, shape, threads) {
  const timed = rows
    .filter((row) => row.shape === shape && row.threads === threads)
    .map(({ contestant, version, timing }) => ({ contestant, version, milliseconds: timing.median }))
    .sort((a, b) => a.milliseconds - b.milliseconds);
  if (timed.length === 0) return [];
  const suffix = threads === 1 ? ", 1 thread" : `, ${threads} threads`;
  const others = absent
    .filter((one) => one.shape === shape && one.entrant.endsWith(suffix))
    .map(({ entrant, reason }) => ({ contestant: entrant.slice(0, -suffix.length), version: "", reason: reason.split(":")[0] }));
  return [...timed, ...others];
}

/**
 * SVG of the rows of a size, such as "12×1024×64", on a number of threads. The same document gives the same bytes.
 *
 * @throws {TypeError} the document is of another kind, or holds no such rows
 */
export function draw(document, { size = "12×1024×64", threads = 1 } = {}) {
  check(document);
  const { rows } = document;
  const groups = GROUPS.map((name) => ({ name, entries: entriesOf(document, `${size} ${name}`, threads) })).filter(
    ({ entries }) => entries.length > 0,
  );
  if (groups.length === 0) {
    const held = new Set(rows.map((row) => `${row.shape} on ${row.threads}`));
    throw new TypeError(
      `no rows of ${size} on ${threads} thread(s) in the document, which holds ${[...held].join(", ") || "none"}`,
    );
  }

  const times = groups.flatMap(({ entries }) => entries.flatMap(({ milliseconds = [] }) => milliseconds));
  const own = groups.flatMap(({ entries }) => entries.filter(({ contestant }) => contestant === "headwise"));
  const limit = LONGEST * Math.max(...own.map(({ milliseconds = 0 }) => milliseconds));
  const longest = Math.max(...times.filter((time) => !(limit > 0) || time <= limit));

  let top = HEAD_HEIGHT;
  for (const group of groups) {
    group.top = top + GROUP_HEAD_HEIGHT;
    group.height = group.entries.length * ROW_HEIGHT;
    top = group.top + group.height;
  }
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: top + 16 });
  chart.setOption({
    animation: false,
    backgroundColor: COLOURS.ground,
    textStyle: { color: COLOURS.text },
    title: [
      headOf(
        document,
        size,
        threads,
        times.some((time) => time > longest),
      ),
      ...groups.map(groupHeadOf),
    ],
    grid: groups.map(({ top, height }) => ({ left: LABEL_WIDTH, right: VALUE_WIDTH, top, height })),
    xAxis: groups.map((_, gridIndex) => ({ gridIndex, type: "value", min: 0, max: longest, show: false })),
    yAxis: groups.map(({ entries }, gridIndex) => axisOf(entries, gridIndex)),
    series: groups.map(({ entries }, index) => ({
      type: "bar",
      xAxisIndex: index,
      yAxisIndex: index,
      silent: true,
      barWidth: ROW_HEIGHT - 8,
      data: entries.map((entry) => barOf(entry, longest)),
    })),
    graphic: groups.flatMap(({ entries, top }) =>
      entries.flatMap(({ milliseconds = 0 }, index) => (milliseconds > longest ? breakOf(top + index * ROW_HEIGHT) : [])),
    ),
  });
  const svg = asImage(chart.renderToSVGString());
  chart.dispose();
  return svg;
}

function headOf({ machine, rows }, size, threads, isAnyCut) {
  const [heads, ...others] = size.split("×");
  const io = rows.find((row) => row.shape.startsWith(`${size} `)).io;
  const where = io === "copy" ? "arrays in and out at each call" : "inputs and result in each library's memory";
  const cut = isAnyCut ? "; a broken bar is longer than drawn" : "";
  return {
    text: `${[`${heads} heads`, ...others].join(" × ")}, float32, ${threads === 1 ? "one thread" : `${threads} threads`}: milliseconds, less is better`,
    subtext: `${machine.cpu}, Node ${machine.node}, ${where}${cut}`,
    left: 16,
    top: 14,
    padding: 0,
    textStyle: { fontSize: 16, color: COLOURS.text },
    subtextStyle: { fontSize: 12, color: COLOURS.aside },
  };
}

const groupHeadOf = ({ name, top }) => ({
  text: name,
  left: 16,
  top: top - 22,
  padding: 0,
  textStyle: { fontSize: 14, color: COLOURS.text },
});

/** Each label is one piece of text: separate pieces would be placed by the widths of an assumed font. */
const axisOf = (entries, gridIndex) => ({
  gridIndex,
  type: "category",
  inverse: true,
  axisLine: { show: false },
  axisTick: { show: false },
  axisLabel: { interval: 0, fontSize: 13 },
  data: entries.map(({ contestant, version }) => ({
    value: WITHOUT_VERSION.has(contestant) ? contestant : `${contestant} ${version}`.trim(),
    textStyle: contestant === "headwise" ? { color: COLOURS.headwise, fontWeight: "bold" } : { color: COLOURS.text },
  })),
});

function barOf({ contestant, milliseconds, reason }, longest) {
  const color = contestant === "headwise" ? COLOURS.headwise : COLOURS.others;
  const label = { show: true, position: "right", fontSize: 13, color: COLOURS.text };
  if (milliseconds === undefined)
    return { value: 0, itemStyle: { color }, label: { ...label, color: COLOURS.aside, formatter: reason } };
  const formatter = significant(milliseconds);
  if (milliseconds <= longest) return { value: milliseconds, itemStyle: { color }, label: { ...label, formatter } };
  return { value: longest, itemStyle: { color }, label: { ...label, formatter } };
}

/** The gap in a bar that ends at the right edge, in the row that begins at `top`. */
function breakOf(top) {
  const right = WIDTH - VALUE_WIDTH - BREAK_FROM_END;
  const bottom = top + ROW_HEIGHT;
  return {
    type: "polygon",
    silent: true,
    z: 10,
    shape: {
      points: [
        [right, top],
        [right + BREAK_WIDTH, top],
        [right + BREAK_WIDTH - BREAK_SLANT, bottom],
        [right - BREAK_SLANT, bottom],
      ],
    },
    style: { fill: COLOURS.ground },
  };
}
