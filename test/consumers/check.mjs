/**
 * The computation of every consumer: attention by its own engine, compared with the reference. Callers import or require the
 * package in their own way, and pass it in.
 */

/** For sums of a hundred terms below 1 in float32; a wrong key or a missing row causes errors of 1e-2. */
const TOLERANCE = 1e-6;
/** Enough multiply-adds to be shared among threads, odd sizes, two query heads per key head. */
const [SEQ_LEN, HEADS, KV_HEADS, HEAD_DIM] = [153, 4, 2, 64];

/** Numbers in [−1, 1) that are the same everywhere. */
function tensor(seed, ...dims) {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 31;
  return { data: Float32Array.from({ length: dims.reduce((product, size) => product * size, 1) }, next), dims };
}

function largestError(result, truth) {
  if (result.data.length !== truth.data.length) return Infinity;
  let largest = 0;
  for (const [index, value] of truth.data.entries()) {
    const error = Math.abs(result.data[index] - value);
    if (!(error <= largest)) largest = error; // catches NaN
  }
  return largest;
}

/** One number for all bits of a result (FNV-1a). */
function digest({ data }) {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Calls that cannot succeed, for their messages. */
function mistakes(engine) {
  const q = tensor(1, 3, 8);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return [tensor(2, 3, 5), proxy].map((k) => {
    try {
      engine.scaledDotProductAttention(q, k, k);
      return undefined;
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  });
}

/** @param hold  fails if the error of the result exceeds float32 rounding */
function compare(engine, reference, hold) {
  const q = tensor(1, 1, SEQ_LEN, HEADS, HEAD_DIM);
  const k = tensor(2, 1, SEQ_LEN, KV_HEADS, HEAD_DIM);
  const v = tensor(3, 1, SEQ_LEN, KV_HEADS, HEAD_DIM);
  const out = engine.scaledDotProductAttention(q, k, v, { causal: true });
  hold("attention", out, reference.scaledDotProductAttention(q, k, v, { causal: true }));
  if (engine.matmul !== undefined) {
    const [a, b] = [tensor(4, 17, 33), tensor(5, 33, 9)];
    hold("matmul", engine.matmul(a, b), reference.matmul(a, b));
    hold("softmax", engine.softmax(a), reference.softmax(a));
  }
  return digest(out);
}

/**
 * @param headwise   `createEngine` or `createEngineSync`, and the module `headwise/reference`
 * @param options    for creation
 * @returns          the data of a report, as JSON
 */
export async function check({ createEngine, reference }, options = {}) {
  try {
    const engine = await createEngine(options);
    let largest = 0;
    const hold = (operation, result, truth) => {
      const error = largestError(result, truth);
      if (!(error <= TOLERANCE * (operation === "matmul" ? 10 : 1))) throw new Error(`${operation} is off by ${error}`);
      largest = Math.max(largest, error);
    };
    const bits = compare(engine, reference, hold);
    const messages = mistakes(engine);
    const { build, buildReason, fused, threads, threadsReason, version } = engine.info;
    engine.dispose();
    return { version, build, buildReason, fused, threads, threadsReason, bits, largestError: largest, messages };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}
