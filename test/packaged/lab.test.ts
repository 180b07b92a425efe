/** With the packed package, each experiment of examples/lab shows what it says it shows. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { installExamples, MODELS } from "../hosts/examples.js";
import type { Consumer } from "../hosts/install.js";

const HELPERS = ["main", "picture", "runLab", "style", "tensors"];
const NAMES = readdirSync("examples/lab")
  .filter((file) => file.endsWith(".mjs"))
  .map((file) => file.slice(0, -".mjs".length))
  .filter((name) => !HELPERS.includes(name));
const WITHOUT_PICTURE = ["decoding", "additive-or-dot"];
const GOLDEN = 1e-6;

let consumer: Consumer;
beforeAll(async () => {
  consumer = await installExamples(inject("tarball"));
  mkdirSync(join(consumer.folder, "pictures"));
});
afterAll(() => consumer.remove());

const run = async (name: string, ...args: string[]): Promise<string> =>
  (await consumer.run(process.execPath, `examples/lab/${name}.mjs`, ...args)).stdout;

/** What a line says after its label. */
function said(output: string, label: string): string {
  const line = output.split("\n").find((each) => each.startsWith(label));
  expect(line, `a line that begins with "${label}"`).toBeDefined();
  return line!.slice(label.length);
}

/** The numbers that a line has after its label. */
const numbers = (output: string, label: string): number[] =>
  [...said(output, label).matchAll(/-?\d+(?:\.\d+)?(?:e[+-]\d+)?/g)].map(([text]) => Number(text));

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(Math.abs(actual[index]! - value)).toBeLessThanOrEqual(tolerance);
}

const softmax = (scores: readonly number[]): number[] => {
  const powers = scores.map((score) => Math.exp(score));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
};

describe.concurrent("lab", () => {
  test("worked-example: the numbers of six tokens within 1e-6", async () => {
    const output = await run("worked-example");
    expectClose(numbers(output, "q·k of sitting: "), [0.21, 0.29, 0.33, 0.29, 0.36, 0.26], 1e-9);
    const weights = [0.1590828572, 0.166602911, 0.1704952119, 0.166602911, 0.1734739981, 0.1637421107];
    expectClose(numbers(output, "weights of sitting: "), weights, GOLDEN);
    const logSumExp = [1.9605052787, 2.0483243615, 1.9294528248, 1.9595736544, 2.0153903879, 2.0144382293];
    expectClose(numbers(output, "logSumExp: "), logSumExp, GOLDEN);
    for (const [label, expected] of Object.entries({
      "full The": [0.5154764277, 0.3487859578, 0.8323267244],
      "full dog": [0.5171650107, 0.3500674371, 0.8324766472],
      "full is": [0.5154294214, 0.3487940151, 0.8332708124],
      "full sitting": [0.5175125889, 0.3504703959, 0.8326452721],
      "full on": [0.521186615, 0.3534431033, 0.8340616996],
      "full the": [0.5189494947, 0.3516035286, 0.8350668199],
      "causal The": [0.3, 0.2, 0.8],
      "causal dog": [0.4034627166, 0.2517313583, 0.8517313583],
      "causal is": [0.3342355845, 0.2003885837, 0.8003885837],
      "causal sitting": [0.3999600853, 0.2496864099, 0.8245495722],
      "causal on": [0.4641453329, 0.3030010433, 0.8205716543],
      "causal the": [0.5189494947, 0.3516035286, 0.8350668199],
      "linear elu+1 sitting": [0.518268, 0.3509482, 0.8335335],
      "linear elu+1 causal sitting": [0.4014272, 0.2506185, 0.825452],
      "linear identity sitting": [0.5218391, 0.3528736, 0.8293103],
      "linear identity causal sitting": [0.4, 0.2482143, 0.8223214],
    })) {
      expectClose(numbers(output, `${label}: `), expected, GOLDEN);
    }
    expect(numbers(output, "three steps and one call differ by: ")[0]).toBeLessThan(GOLDEN);
  });

  test("self-attention: a longer row takes the weight from a row's own, equal norms leave it there", async () => {
    const output = await run("self-attention");
    expectClose(numbers(output, "norms 1 and 3, row 0: "), softmax([1, 3]), 1e-4);
    expectClose(numbers(output, "norms 1 and 3, row 1: "), softmax([3, 9]), 1e-4);
    expect(said(output, "norms 1 and 3, most weight at: ")).toBe("1 1");
    expect(said(output, "equal norms, most weight at: ")).toBe("0 1 2 3");
    expectClose(numbers(output, "sums of rows: "), [1, 1, 1, 1], 1e-4);
  });

  test("soft-dictionary: exact with a large scale, a mixture without", async () => {
    const output = await run("soft-dictionary");
    const [own, other] = softmax([1, 0, 0]);
    expectClose(numbers(output, "scale 1, pear: "), [20 * own! + 50 * other!, other!, own!, other!], 1e-4);
    expectClose(numbers(output, "scale 1000, pear: "), [20, 0, 1, 0], 0);
    expectClose(numbers(output, "scale 1000, apple or plum: "), [25, 0.5, 0, 0.5], 0);
    expectClose(numbers(output, "scale 1000, anything: "), [70 / 3, 1 / 3, 1 / 3, 1 / 3], 1e-4);
  });

  test("temperature: from one key to the mean of all, and scaled scores have a deviation of 1", async () => {
    const output = await run("temperature");
    const rows = ["0.01 ", "0.3", "1 ", "3", "1000"].map((label) => numbers(output, `temperature ${label}`));
    const entropies = rows.map((row) => row.pop()!);
    expectClose(rows[0]!, [0, 1, 0, 0, 0, 0], 0);
    expectClose(rows[2]!, softmax([1, 2, 0, 1.5, 0.5, 1]), 1e-4);
    expectClose(rows[4]!, new Array<number>(6).fill(1 / 6), 1e-3);
    expect(entropies).toEqual([...entropies].sort((a, b) => a - b));
    expectClose([entropies[0]!, entropies[4]!], [0, Math.log(6)], 1e-4);
    expectClose(numbers(output, "two largest scores at 0.01: "), [0, 0.5, 0, 0.5], 0);
    expectClose(numbers(output, "deviation of q·k: "), [8], 0.3);
    expectClose(numbers(output, "deviation of q·k / √headDim: "), [1], 0.04);
  });

  test("permutation-equivariance: until rows have positions, or see no later ones", async () => {
    const output = await run("permutation-equivariance");
    const [full, causal, positions] = ["full", "causal", "with positions"].map(
      (name) => numbers(said(output, `${name}, f(Px) and P f(x) differ by`), ": ")[0]!,
    );
    expect(full).toBeLessThan(1e-6);
    expect(causal).toBeGreaterThan(0.1);
    expect(positions).toBeGreaterThan(0.1);
    expect(numbers(output, "mean of all rows, of the two orders, differs by: ")[0]).toBeLessThan(1e-6);
  });

  test("causal: what is to come changes no bit", async () => {
    const output = await run("causal");
    for (const [name, different] of [
      ["full", 128],
      ["causal", 0],
    ] as const) {
      expect(numbers(output, `${name}, another end changes: `)).toEqual([different, 128]);
      expect(numbers(output, `${name}, without the end: `)).toEqual([different, 128]);
    }
    const triangle = output
      .split("\n")
      .filter((line) => /^[ ░▒▓█]+$/.test(line))
      .slice(12);
    expect(triangle).toHaveLength(12);
    for (const [row, line] of triangle.entries()) expect(line.trimEnd().length).toBeLessThanOrEqual(2 * (row + 1));
    expect(triangle[0]).toContain("█");
  });

  test("cross-attention: any numbers of queries and keys, and keys projected once have the same bits", async () => {
    const output = await run("cross-attention");
    for (const rows of [1, 3, 7, 12]) {
      expect(numbers(output, `${rows} queries, 7 keys: `), "sizes and differences").toEqual([1, rows, 32, 0]);
    }
    expect(numbers(output, "the first of three rows, alone: ")).toEqual([0]);
    expect(said(output, "chat ← ")).toBe("Katze");
    expect(said(output, "noir ← ")).toBe("schwarze");
  });

  test("two-heads: one head mixes giver and receiver, two keep them apart", async () => {
    const output = await run("two-heads");
    const [told, swapped] = ['"Susan gave roses to Mary": ', '"Mary gave roses to Susan": '];
    expect(numbers(output, `one head, ${told}`)).toEqual([0.5, 0, 0, 0, 0.5]);
    expect(numbers(output, `one head, ${swapped}`)).toEqual([0.5, 0, 0, 0, 0.5]);
    expect(numbers(output, `two heads, ${told}`)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(numbers(output, `two heads, ${swapped}`)).toEqual([0, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
    expect(said(output, "one head can tell them apart: ")).toBe("false");
    expect(said(output, "two heads can tell them apart: ")).toBe("true");
  });

  test("head-pruning: parts add up, and a layer without heads has the bits of gates of 0", async () => {
    const output = await run("head-pruning");
    expect(numbers(output, "the sum of all heads' parts differs from the layer by: ")[0]).toBeLessThan(1e-5);
    const changes = numbers(output, "without each head, rows move by: ");
    expect(changes).toHaveLength(8);
    expect(Math.min(...changes)).toBeGreaterThan(0.1);
    for (const [pruned, left] of [
      [0, 8],
      [4, 4],
      [6, 2],
    ] as const) {
      const line = said(output, `pruned ${pruned} of 8: `);
      expect(line).toContain(`${left} heads left, `);
      expect(line).toMatch(/; numbers that differ from gates of 0: 0$/);
    }
  });

  test("convolution: the numbers of the definition, with a row without keys for each pixel of padding", async () => {
    const output = await run("convolution");
    const inside = (12 + 11 + 11) ** 2;
    expect(numbers(output, "rows of heads that see no key: ")).toEqual([9 * 12 * 12 - inside]);
    const [difference, largest] = numbers(output, "convolution and attention differ by: ");
    expect(largest).toBeGreaterThan(5);
    expect(difference! / largest!).toBeLessThan(1e-6);
  });

  test("dense-layer: not a bit differs", async () => {
    const output = await run("dense-layer");
    expect(numbers(output, "numbers of the heads that differ from the keys: ")).toEqual([0, 60]);
    expect(numbers(output, "numbers of the result that differ from the dense layer's: ")).toEqual([0, 4]);
  });

  test("rasp: masks reverse, count and sort", async () => {
    const output = await run("rasp");
    const letters = Array.from("attention");
    expect(said(output, 'reverse("attention"): ')).toBe([...letters].reverse().join(""));
    expect(numbers(output, 'histogram("attention"): ')).toEqual(
      letters.map((letter) => letters.filter((other) => other === letter).length),
    );
    expect(said(output, 'sort("attention"): ')).toBe([...letters].sort().join(""));
    expect(numbers(output, "places: ").sort((a, b) => a - b)).toEqual([...letters.keys()]);
  });

  test("linear-or-softmax: more features imitate the softmax better; work grows with the length, not its square", async () => {
    const output = await run("linear-or-softmax");
    const [few, some, many] = [16, 256, 4096].map(
      (features) => numbers(output, `favor+ with ${features} features, distance from softmax: `)[0]!,
    );
    expect(few).toBeGreaterThan(some!);
    expect(some).toBeGreaterThan(many!);
    expect(many).toBeLessThan(0.1);
    expect(numbers(output, "elu+1, distance from softmax: ")[0]).toBeGreaterThan(many!);
    const work = [512, 1024, 2048].map((length) => numbers(output, `${length} rows: multiply-adds`).slice(0, 2));
    for (const index of [0, 1]) {
      expect(work[index + 1]![0]! / work[index]![0]!).toBe(4);
      expect(work[index + 1]![1]! / work[index]![1]!).toBe(2);
    }
  });

  test("transformer-xl: the scores of the definition, and segments with all of their past have the bits of one call", async () => {
    const output = await run("transformer-xl");
    expect(numbers(output, "scores and the sum of four products differ by: ")[0]).toBeLessThan(1e-5);
    const distance = (name: string) => numbers(said(output, `segments of 6 rows, ${name}`), ": ")[0]!;
    expect(distance("all of the past")).toBe(0);
    expect(distance("a segment's memory")).toBeGreaterThan(0.1);
    expect(distance("no memory")).toBeGreaterThan(0.1);
  });

  test("positions: scores depend on distances alone, and biases are those of their papers", async () => {
    const output = await run("positions");
    expectClose(
      numbers(output, "sines of position 1: "),
      [Math.sin(1), Math.cos(1), Math.sin(10 ** -0.5), Math.cos(10 ** -0.5)],
      1e-4,
    );
    expect(numbers(output, "products of sines at distance 3 spread over: ")[0]).toBeLessThan(1e-5);
    expect(numbers(output, "rotary scores at distance 3 spread over: ")[0]).toBeLessThan(1e-5);
    expect(numbers(output, "rotary scores of all distances spread over: ")[0]).toBeGreaterThan(1);
    const slopes = Array.from({ length: 8 }, (_, head) => 2 ** -(head + 1));
    expect(numbers(output, "slopes of 8 heads: ")).toEqual(slopes);
    expect(numbers(output, "ALiBi and the same bias differ by: ")[0]).toBeLessThan(1e-6);
    const buckets = [3, 2, 2, 2, 2, 1, 0, 5, 6, 6, 6, 6, 7]; // 1 has its own, 2 to 5 share one, those beyond the last
    expect(numbers(output, "T5's buckets of distances −6 to 6: ")).toEqual(buckets);
    expect(numbers(output, "relative keys and their definition differ by: ")[0]).toBeLessThan(1e-5);
  });

  test("scores: special cases are equal, and only the cosine ignores how long keys are", async () => {
    const output = await run("scores");
    for (const pair of [
      "dot and bilinear with U = I",
      "bilinear and dot with q' = Uᵀq",
      "cosine of k and of 3 k",
      "additive with keys projected before and in the call",
      "additive with A = B = 0 and the mean of v",
      "MLP with tanh and b = 0 and additive",
    ]) {
      expect(numbers(output, `${pair} differ by: `)[0], pair).toBeLessThan(1e-5);
    }
    expect(numbers(output, "dot of k and of 3 k differ by: ")[0]).toBeGreaterThan(0.1);
    const rows = ["dot", "bilinear", "additive", "MLP with relu", "cosine"].map((name) => numbers(output, `${name}, first row: `));
    for (const row of rows) expectClose([row.reduce((sum, weight) => sum + weight, 0)], [1], 0.006); // each has three digits
    expect(new Set(rows.map(String)).size).toBe(5);
  });

  test("additive-or-dot: both work grows with the square of the length", async () => {
    const output = await run("additive-or-dot");
    for (const length of [64, 128, 256]) {
      const [dot, additive, ...milliseconds] = numbers(output, `${length} rows: `);
      expect([dot, additive]).toEqual([32 * length ** 2, 32 * length ** 2]);
      expect(milliseconds).toHaveLength(2);
    }
  });

  test("local: local-m is a window, local-p gives less than 1 unless renormalized, which is a Gaussian bias", async () => {
    const output = await run("local");
    expect(numbers(output, "local-m and a window differ by: ")[0]).toBeLessThan(1e-6);
    expect(numbers(output, "local-m: sums of weights from ")).toEqual([1, 1]);
    const [least, most] = numbers(output, "local-p: sums of weights from ");
    expect(least).toBeGreaterThan(0.1);
    expect(most).toBeLessThan(1);
    expect(numbers(output, "renormalized local-p and a Gaussian bias differ by: ")[0]).toBeLessThan(1e-5);
  });

  test("hard-and-top-k: the likeliest key, draws with the weights as probabilities, and all between one key and all", async () => {
    const output = await run("hard-and-top-k");
    expect(numbers(output, "hard attention and the values of the largest weights: ")).toEqual([0]);
    const [weights, shares] = [numbers(output, "weights of row 0: "), numbers(output, "shares of 4000 draws: ")];
    for (const [key, weight] of weights.entries()) {
      expect(Math.abs(shares[key]! - weight)).toBeLessThan(5 * Math.sqrt((weight * (1 - weight)) / 4000) + 0.001); // 5 deviations
    }
    const distances = [1, 2, 4, 8, 16].map((count) => numbers(output, `the ${count} largest: `));
    expect(distances[0]![1]).toBe(0);
    expect(distances[4]![0]).toBeLessThan(1e-6);
    const fromSoft = distances.map(([soft]) => soft!);
    expect(fromSoft).toEqual([...fromSoft].sort((a, b) => b - a));
  });

  test("looks: what is said without the weights is what they say; a layer is the sum of its circuits", async () => {
    const output = await run("looks");
    for (const name of ["entropy", "largestWeight", "keyWeights", "topKeys"]) {
      expect(numbers(output, `${name} and that of the whole weights differ by: `)[0], name).toBeLessThan(1e-5);
    }
    expect(numbers(output, "keys whose weight is another: ")).toEqual([0, 36]);
    const [confidence, moves] = [
      numbers(output, "confidence of heads: "),
      numbers(output, "the result without each head moves by: "),
    ];
    expect([confidence.length, moves.length]).toEqual([4, 4]);
    for (const value of confidence) {
      expect(value).toBeGreaterThan(1 / 12); // the least that the largest of 12 weights can be
      expect(value).toBeLessThan(1);
    }
    expect(Math.min(...moves)).toBeGreaterThan(0);
    expect(numbers(output, "layer and the sum of its circuits differ by: ")[0]).toBeLessThan(1e-5);
  });

  const textAfter = (output: string, label: string): string => {
    const lines = output.split("\n");
    return lines[lines.findIndex((line) => line.startsWith(label)) + 1]!.trim();
  };
  const expectDecoded = (output: string): void => {
    const [greedy, one, four] = ["greedy", "beam of 1", "beam of 4"].map((name) => `${name}: log-probability `);
    for (const label of [greedy!, one!, four!]) expect(said(output, label)).toContain("without caches the same");
    expect(said(output, one!)).toBe(said(output, greedy!));
    expect(textAfter(output, one!)).toBe(textAfter(output, greedy!));
    expect(textAfter(output, four!)).not.toBe(textAfter(output, greedy!));
    expect(numbers(output, four!)[0]).toBeGreaterThan(numbers(output, greedy!)[0]!);
  };

  test("decoding: a beam of 1 is greedy, one of 4 finds a likelier text; caches and forks change no bit", async () => {
    const output = await run("decoding");
    expectDecoded(output);
    expect(textAfter(output, "greedy").split(" ")).toHaveLength(12);
  });

  test.runIf(MODELS)(
    `decoding: the same with a trained model${MODELS ? "" : ": not run, the models are absent; HEADWISE_MODELS can name their folder"}`,
    async () => {
      const folder = join(MODELS!, "stories260K");
      const files = ["--model", join(folder, "stories260K.bin"), "--tokenizer", join(folder, "tok512.bin")];
      const { text } = JSON.parse(readFileSync(join(folder, "expected-greedy.json"), "utf8")) as { text: string };
      const output = await run("decoding", ...files, "--tokens", "40");
      expectDecoded(output);
      expect(textAfter(output, "greedy").length).toBeGreaterThan(80);
      expect(text.startsWith(textAfter(output, "greedy"))).toBe(true);
    },
  );

  /** The texts of an SVG: words, and numbers. */
  const textsOf = (svg: string): (string | number)[] =>
    [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => (/^-?\d+\.\d+$/.test(text!) ? Number(text) : text!));

  test.each(NAMES.filter((name) => !WITHOUT_PICTURE.includes(name)))(
    "%s draws a picture, the one in the documents if there is one",
    async (name) => {
      await run(name, "--svg", "pictures");
      const svg = readFileSync(join(consumer.folder, "pictures", `${name}.svg`), "utf8");
      expect(svg).toMatch(/^<svg width="\d+" height="\d+" [^]*<\/svg>\s*$/);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      const path = `docs/pictures/${name}.svg`;
      if (!existsSync(path)) return;
      const [drawn, published] = [textsOf(svg), textsOf(readFileSync(path, "utf8"))];
      expect(drawn.length).toBe(published.length);
      for (const [index, text] of published.entries()) {
        if (typeof text === "number")
          expect(Math.abs(Number(drawn[index]) - text)).toBeLessThan(0.011); // a digit, as builds may differ
        else expect(drawn[index]).toBe(text);
      }
    },
  );
});

test("every experiment is in the README once, has a test above and says what it shows and where it is from", () => {
  const readme = readFileSync("examples/lab/README.md", "utf8");
  const listed = [...readme.matchAll(/^\| \[([\w-]+)\]\(([\w-]+)\.mjs\)/gm)];
  expect(listed.map(([, name]) => name).sort()).toEqual([...NAMES].sort());
  const tests = readFileSync("test/packaged/lab.test.ts", "utf8");
  for (const [, name, file] of listed) {
    expect(file).toBe(name);
    expect(tests).toContain(`test("${name}: `);
    const code = readFileSync(`examples/lab/${name}.mjs`, "utf8");
    expect(code, name).toMatch(/^\/\*\*[^]*?(arXiv:\d{4}\.\d{4,5}|Bloem 2019)[^]*?\*\//);
    expect(code, name).toContain(`await runLab(`);
    const imported = [...code.matchAll(/^import .* from "([^"]+)"/gm)].map(([, module]) => module!);
    expect(
      imported.filter((module) => !module.startsWith(".")),
      name,
    ).toEqual(["headwise"]);
  }
});
