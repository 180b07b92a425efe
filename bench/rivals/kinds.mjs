/** What is raced. */
import { attention } from "./kinds/attention.mjs";
import { layer } from "./kinds/layer.mjs";
import { linear } from "./kinds/linear.mjs";
import { matmul } from "./kinds/matmul.mjs";
import { softmax } from "./kinds/softmax.mjs";

/**
 * @typedef {{ data: Float32Array, dims: readonly number[] }} Tensor
 * @typedef {{ kind: string, name: string }} Shape  with sizes of its kind
 * @typedef {import("./truth.mjs").TrueRows} TrueRows
 */

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {readonly object[]} shapes
 * @property {(shape: Shape) => "copy" | "resident"} ioOf               the default
 * @property {(shape: Shape) => Record<string, Tensor>} inputsOf        what changes from call to call; rank 4 in layout "bshd"
 * @property {(shape: Shape) => Record<string, Tensor>} constantsOf     what a model holds: there, and packed, before the first call
 * @property {(shape: Shape) => number[]} outDimsOf
 * @property {(shape: Shape, inputs: Record<string, Tensor>, constants: Record<string, Tensor>) => TrueRows[]} truthOf
 * @property {(shape: Shape) => number} toleranceOf   the largest absolute error of a correct result
 * @property {(shape: Shape) => number} workOf        what the result needs, in units of `rate`
 * @property {"gigaflops" | "gigaelements"} rate      billions per second
 */

/** @type {readonly Kind[]} */
export const KINDS = [attention, matmul, softmax, layer, linear];

/** Some rows of the correct result, and how far other results may be from them. */
export function truthOf(shape) {
  const kind = kindOf(shape);
  const rows = kind.truthOf(shape, kind.inputsOf(shape), kind.constantsOf(shape));
  return { rows, tolerance: kind.toleranceOf(shape) };
}

/** The shapes of a kind, each with the kind's name. */
export const shapesOf = (kind) => kind.shapes.map((shape) => ({ kind: kind.name, ...shape }));

export const kindOf = ({ kind }) => KINDS.find(({ name }) => name === kind);
