/** Local attention: each row sees a window of keys around a centre of its own. */
import { axesOfRows } from "../attention/attentionCall.js";
import type { Extra, Reading } from "../attention/extras.js";
import { MISPLACED_NAMES } from "../attention/foreignNames.js";
import type { AttentionOptions } from "../attention/options.js";
import { SCALED_DOT_PRODUCT_ATTENTION } from "../attention/scaledDotProductAttention.js";
import { attendOn, type Keys, type Values } from "../cache/keysOrCache.js";
import { expectDims } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import { type Given, type KnownOptions, readOptions } from "../call/readOptions.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { float32, isAbsent, oneOf, optional, wrongValue } from "../check.js";
import { GAUSSIANS } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import { type CenterPredictor, readPredictor } from "./predictor.js";

/** Parameters of `localAttention`. */
export interface LocalParameters {
  /** D, how far from its centre a row sees keys: at least 1. */
  halfWidth: number;
  /**
   * The centre of each row's window, counted from the first key of its sequence: [batch, numHeads, seqLen]. Default the rows' positions,
   * and no Gaussian.
   */
  centers?: TensorLike | null | undefined;
  /** Predicts the centres instead: kvLen · sigmoid(scoreᵀ tanh(weight · q)). */
  predictor?: CenterPredictor | null | undefined;
  /** Adds the exponent of the Gaussian to the scores, so that weights sum to 1. Default false: weights are multiplied by the Gaussian. */
  renormalize?: boolean | null | undefined;
}

export const LOCAL_ATTENTION: Operation = { ...SCALED_DOT_PRODUCT_ATTENTION, name: "localAttention" };
const PARAMETERS: KnownOptions = {
  name: LOCAL_ATTENTION.name,
  options: ["halfWidth", "centers", "predictor", "renormalize"],
  foreign: {
    ...MISPLACED_NAMES,
    halfWidth: "d width windowsize radius",
    centers: "centres p positions",
    renormalize: "normalize",
  },
};

/**
 * See `Engine.localAttention`.
 * @internal
 */
export function localAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: Keys,
  v: Values,
  parameters: LocalParameters,
  options?: AttentionOptions<Out> | null,
): Out {
  return attendOn(runtime, LOCAL_ATTENTION, q, k, v, options, () => {
    const given = readOptions(PARAMETERS, parameters, "parameters");
    const { name } = PARAMETERS;
    const halfWidth = float32(name, "halfWidth", given.halfWidth, 1);
    const hasCenters = !isAbsent(given.centers);
    const hasPredictor = !isAbsent(given.predictor);
    if (hasCenters && hasPredictor) throw wrongValue(name, '"centers" and "predictor" cannot be combined');
    const isGaussian = hasCenters || hasPredictor;
    if (!isAbsent(given.renormalize) && !isGaussian) throw wrongValue(name, '"renormalize" needs "centers" or "predictor"');
    const isBias = oneOf(name, "renormalize", given.renormalize ?? false, [true, false]);
    const gaussian = GAUSSIANS.indexOf(!isGaussian ? "none" : isBias ? "bias" : "factor");
    return { read: (reading) => readWindow(reading, given, halfWidth, gaussian) };
  });
}

function readWindow(reading: Reading, given: Given<LocalParameters>, halfWidth: number, gaussian: number): Extra {
  const { call, options, shape } = reading;
  if (gaussian === GAUSSIANS.indexOf("factor")) {
    for (const name of ["entropy", "largestWeight"] as const) {
      if (isAbsent(options[name])) continue;
      throw wrongValue(call.operation, `"${name}" needs weights that sum to 1; expected "renormalize" true, or no centers`);
    }
  }
  const centers = optional(given.centers, (value) => call.numbers("centers", value));
  if (centers) expectDims(call.operation, centers, [...shape.headDims, shape.seqLen], axesOfRows(shape));
  const predictor = optional(given.predictor, (value) => readPredictor(reading, value));
  return {
    operands: centers ? [centers] : (predictor?.operands ?? []),
    mostKeys: 2 * halfWidth + 1,
    ...(predictor && { bytes: predictor.bytes, prepare: predictor.prepare }),
    fields: (ptr) => ({
      halfWidth,
      centers: centers?.ptr ?? predictor?.partsAt(ptr) ?? 0,
      predictsCenters: predictor ? 1 : 0,
      gaussian,
    }),
  };
}
