/** The calls that both engines make: attention at the usual lengths, decoding, and matrix products. */
import type { Engine } from "headwise";
import { residentCall, type ResidentCall } from "../context.js";
import { checkedError } from "../correctness.js";
import { inputsOf } from "../data.js";
import { decodingOf } from "../decoding.js";
import { residentProduct } from "../products.js";
import {
  type AttentionShape,
  DECODE,
  type DecodeShape,
  FORWARD,
  MATMUL,
  type MatmulShape,
  optionsOf,
  SMALL_CALLS,
} from "../shapes.js";

/**
 * Arrays copied in and out at each call; inputs and result in the engine's memory; one token that attends to a cache; a right-hand
 * side that was packed before.
 */
export type Io = "copy" | "resident" | "cache" | "packed";

/** What one engine gives. */
export interface Answer {
  /** Largest error of the result. */
  readonly error: number;
  readonly data: Float32Array;
}

export interface ComparedCall {
  readonly shape: string;
  readonly io: Io;
  /** @throws {Error} the result is wrong */
  readonly check: (engine: Engine) => Answer;
  /** The same call, again and again. */
  readonly prepare: (engine: Engine) => ResidentCall;
}

function attention(shape: AttentionShape, io: "copy" | "resident"): ComparedCall {
  const copies = (engine: Engine) => {
    const { q, k, v } = inputsOf(shape);
    const options = optionsOf(shape);
    return () => engine.scaledDotProductAttention(q, k, v, options);
  };
  return {
    shape: shape.name,
    io,
    check: (engine) => ({ error: checkedError(engine, shape), data: copies(engine)().data }),
    prepare: (engine) => (io === "copy" ? { run: copies(engine), dispose: () => undefined } : residentCall(engine, shape)),
  };
}

function decode(shape: DecodeShape): ComparedCall {
  const prepare = (engine: Engine) => decodingOf(engine, shape, "float32");
  const check = (engine: Engine): Answer => {
    const { run, error, dispose } = prepare(engine);
    const data = run().data.slice();
    dispose();
    return { error, data };
  };
  return { shape: `decode ${shape.name}`, io: "cache", check, prepare };
}

function product(shape: MatmulShape, io: "resident" | "packed"): ComparedCall {
  const prepare = (engine: Engine) => residentProduct(engine, shape, io === "packed");
  const check = (engine: Engine): Answer => {
    const { check: checked, out, dispose } = prepare(engine);
    const error = checked();
    const data = out.data.slice();
    dispose();
    return { error, data };
  };
  return { shape: `matmul ${shape.name}`, io, check, prepare };
}

export const CALLS: readonly ComparedCall[] = [
  ...SMALL_CALLS.map((shape) => attention(shape, "copy")), // in which the overhead around the arithmetic dominates
  ...FORWARD.map((shape) => attention(shape, "resident")),
  ...DECODE.filter(({ kvLen }) => kvLen <= 8192).map(decode),
  ...MATMUL.flatMap((shape) => (["resident", "packed"] as const).map((io) => product(shape, io))),
];
