/**
 * Causal attention: no row sees a later one. What is to come changes no bit of what has been said, so that a text can be continued
 * without computing it again. Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3.
 */
import { createEngine } from "headwise";
import { blocks, heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { countDifferent, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, HEAD_DIM, KEPT] = [12, 16, 8];

await runLab("causal", async () => {
  const engine = await createEngine();
  const random = normal(5);
  const x = random(ROWS, HEAD_DIM);
  const firstOf = ({ data }) => ({ data: data.subarray(0, KEPT * HEAD_DIM), dims: [KEPT, HEAD_DIM] });
  const changed = { data: x.data.slice(), dims: x.dims };
  changed.data.set(random(ROWS - KEPT, HEAD_DIM).data, KEPT * HEAD_DIM); // another end

  const panels = [];
  for (const causal of [false, true]) {
    const weights = zeros(ROWS, ROWS);
    const attend = (rows, options) => engine.scaledDotProductAttention(rows, rows, rows, { causal, ...options });
    const name = causal ? "causal" : "full";
    const out = attend(x, { weights });
    const numbers = KEPT * HEAD_DIM;
    console.log(`${name}, another end changes: ${countDifferent(firstOf(attend(changed)), firstOf(out))} of ${numbers} numbers`);
    console.log(`${name}, without the end: ${countDifferent(attend(firstOf(x)), firstOf(out))} of ${numbers} numbers differ`);
    console.log(blocks(toRows(weights)));
    panels.push({ matrix: toRows(weights), title: name });
  }
  engine.dispose();
  return heatmaps(panels, { title: "Weights: who sees whom" });
});
