/** The page: settings on the left, results on the right. */
import { createEngine } from "headwise";
import { attend, HEADS, measure, wordsOf } from "./attention.mjs";
import { colourOf, drawHeatmap } from "./heatmap.mjs";

const WORKLOAD = { rows: 1024, heads: 8, headDim: 64 };
const MAX_WORDS = 64;

const find = (id) => document.getElementById(id);
const element = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);

const engine = await createEngine({ threads: "auto" });
const state = { head: 0, row: 9, column: 1, words: [], weights: [] };

function settings() {
  const [window, scale] = [Number(find("window").value), Number(find("scale").value)];
  find("window-value").value = window > 0 ? `${window} words` : "none";
  find("scale-value").value = scale;
  return { causal: find("causal").checked, window, scale };
}

/** Weights of one head, −1 where a key is hidden. */
function weightsOf(head, { causal, window }) {
  const size = state.words.length;
  return state.weights.slice(head * size ** 2, (head + 1) * size ** 2).map((weight, index) => {
    const distance = Math.floor(index / size) - (index % size);
    const isHidden = (causal && distance < 0) || (window > 0 && Math.abs(distance) > (causal ? window - 1 : window));
    return isHidden ? -1 : weight;
  });
}

function compute() {
  const chosen = settings();
  state.words = wordsOf(find("text").value).slice(0, MAX_WORDS);
  const { weights, ms } = attend(engine, state.words, chosen);
  state.weights = weights;
  const size = state.words.length;
  for (const [head, button] of [...find("heads").children].entries()) {
    drawHeatmap(button.firstElementChild, weightsOf(head, chosen), size);
    button.setAttribute("aria-checked", head === state.head);
  }
  state.shown = weightsOf(state.head, chosen);
  drawHeatmap(find("heatmap"), state.shown, size);
  for (const id of ["columns", "rows"])
    find(id).replaceChildren(...state.words.map((word) => element("span", { textContent: word })));
  find("grid").style.setProperty("--label", `${Math.max(7, Math.min(14, 440 / size))}px`);
  find("call").textContent = `${size} words, ${HEADS.length} heads: ${Math.max(1, Math.round(1000 * ms))} µs`;
  point(Math.min(state.row, size - 1), Math.min(state.column, size - 1));
}

/** Shows one row, with its words shaded by their weights. */
function point(row, column) {
  Object.assign(state, { row, column });
  const size = state.words.length;
  const cell = 100 / size;
  Object.assign(find("cross").style, { left: `${column * cell}%`, top: `${row * cell}%`, width: `${cell}%`, height: `${cell}%` });
  find("cross").hidden = size === 0;
  for (const [index, span] of [...find("rows").children].entries()) span.classList.toggle("chosen", index === row);
  for (const [index, span] of [...find("columns").children].entries()) span.classList.toggle("chosen", index === column);
  const spans = state.words.map((word, index) => {
    const weight = state.shown[row * size + index];
    const span = element("span", { textContent: word, title: weight < 0 ? "hidden" : `${(100 * weight).toFixed(1)} %` });
    span.classList.toggle("chosen", index === row);
    span.style.background = weight < 0 ? "none" : `rgb(${colourOf(weight)})`;
    span.style.color = weight < 0 ? "#b9bed3" : weight > 0.2 ? "#fff" : "";
    return span;
  });
  find("words").replaceChildren(...spans.flatMap((span) => [span, " "]));
}

function showHeads() {
  for (const [head, { name, about }] of HEADS.entries()) {
    const button = element("button", { type: "button", title: about });
    button.setAttribute("role", "radio");
    button.append(element("canvas"), name);
    button.addEventListener("click", () => {
      state.head = head;
      compute();
    });
    find("heads").append(button);
  }
}

/** A bar for the time on one thread, and a bar for all threads. */
async function showTimes() {
  const { rows, heads, headDim } = WORKLOAD;
  find("workload").textContent = `${rows} rows, ${heads} heads of ${headDim}, causal`;
  const { build, threads, threadsReason } = engine.info;
  const alone = threads > 1 ? await createEngine() : engine;
  const times = [{ label: "1 thread", ms: measure(alone, WORKLOAD) }];
  if (threads > 1) {
    alone.dispose();
    times.push({ label: `${threads} threads`, ms: measure(engine, WORKLOAD) });
  }
  const bars = times.map(({ label, ms }) => {
    const bar = element("div", { className: "bar" });
    const fill = element("i");
    fill.style.width = `${(100 * ms) / Math.max(...times.map((each) => each.ms))}%`;
    bar.append(element("span", { textContent: label }), fill, element("span", { textContent: `${ms.toFixed(1)} ms` }));
    return bar;
  });
  find("bars").replaceChildren(...bars);
  const reason = threadsReason === undefined ? "" : `: ${threadsReason}`;
  find("engine").textContent = `build ${build}, ${threads} ${threads === 1 ? "thread" : "threads"}${reason}`;
  document.body.dataset.state = "ready";
}

showHeads();
for (const id of ["text", "causal", "window", "scale"]) find(id).addEventListener("input", compute);
find("heatmap").addEventListener("pointermove", ({ offsetX, offsetY, target }) => {
  const size = state.words.length;
  const at = (offset) => Math.max(0, Math.min(size - 1, Math.floor((offset * size) / target.clientWidth)));
  if (size > 0) point(at(offsetY), at(offsetX));
});
compute();
setTimeout(showTimes); // after the picture
