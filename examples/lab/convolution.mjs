/**
 * A convolution is attention with one head for each offset, whose mask shows it that one neighbour; W^O holds the kernel. Zero padding
 * needs no zeros: at the border a head sees no key, and gives 0. Cordonnier, Loukas & Jaggi 2020, arXiv:1911.03584.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { fromRows, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [HEIGHT, WIDTH] = [12, 12];
const OFFSETS = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => ({ dy, dx })));

/** The pixel at an offset from another, or −1 beyond the border. */
function neighbour(pixel, { dy, dx }) {
  const [y, x] = [Math.floor(pixel / WIDTH) + dy, (pixel % WIDTH) + dx];
  return y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH ? y * WIDTH + x : -1;
}

/** The definition: out[pixel, o] = Σ over offsets and channels of kernel[o, offset, c] · image[neighbour, c]. */
function convolve(image, kernel) {
  const [pixels, channels] = image.dims;
  const [outChannels] = kernel.dims;
  const out = zeros(pixels, outChannels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (const [index, offset] of OFFSETS.entries()) {
      const from = neighbour(pixel, offset);
      if (from < 0) continue;
      for (let o = 0; o < outChannels; o++) {
        for (let c = 0; c < channels; c++) {
          const factor = kernel.data[(o * OFFSETS.length + index) * channels + c];
          out.data[pixel * outChannels + o] += factor * image.data[from * channels + c];
        }
      }
    }
  }
  return out;
}

/** The same as a multi-head layer: each head has the whole pixel as its value, W^V = [I, I, …]. */
function attendTo(engine, image, kernel) {
  const [pixels, channels] = image.dims;
  const numHeads = OFFSETS.length;
  const mask = { data: new Uint8Array(numHeads * pixels * pixels), dims: [1, numHeads, pixels, pixels] };
  let keyless = 0;
  for (const [head, offset] of OFFSETS.entries()) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const from = neighbour(pixel, offset);
      if (from < 0) keyless++;
      else mask.data[(head * pixels + pixel) * pixels + from] = 1;
    }
  }
  const rows = numHeads * channels;
  const identities = zeros(rows, channels);
  for (let row = 0; row < rows; row++) identities.data[row * channels + (row % channels)] = 1;
  const parameters = { q: zeros(rows, channels), k: zeros(rows, channels), v: identities, out: kernel };
  const config = { embedDim: channels, numHeads, headDim: channels, outDim: kernel.dims[0] };
  const layer = engine.createMultiHeadAttention(config, parameters);
  const out = layer.forward({ data: image.data, dims: [1, pixels, channels] }, { mask });
  return { out, keyless };
}

await runLab("convolution", async () => {
  const engine = await createEngine();
  const random = normal(3);
  const [image, kernel] = [random(HEIGHT * WIDTH, 3), random(4, OFFSETS.length * 3)];
  const { out, keyless } = attendTo(engine, image, kernel);
  const expected = convolve(image, kernel);
  console.log(`${HEIGHT} × ${WIDTH} pixels of 3 channels, ${OFFSETS.length} heads, 4 channels out`);
  console.log(`rows of heads that see no key: ${keyless}`);
  const [difference, largest] = [largestDifference(out, expected), Math.max(...expected.data)];
  console.log(`convolution and attention differ by: ${difference.toExponential(1)} of numbers up to ${largest.toFixed(2)}`);

  const disc = Array.from({ length: HEIGHT * WIDTH }, (_, pixel) => [
    Math.hypot(Math.floor(pixel / WIDTH) - 5.5, (pixel % WIDTH) - 5.5) < 4 ? 1 : 0,
  ]);
  const edges = fromRows([[0, -1, 0, -1, 4, -1, 0, -1, 0]]);
  const picture = attendTo(engine, fromRows(disc), edges).out;
  const asImage = ({ data }) => toRows({ data, dims: [HEIGHT, WIDTH] });
  engine.dispose();
  return heatmaps([
    { matrix: asImage(fromRows(disc)), title: "An image" },
    { matrix: asImage(picture), title: "Its edges, found by nine heads" },
  ]);
});
