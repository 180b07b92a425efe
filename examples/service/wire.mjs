/**
 * How calls and results travel.
 *
 *     application/json           { "q": { "dims": […], "data": […] }, "k": …, "v": …, "options": { "causal": true } }
 *                                → { "dims": […], "data": […] }
 *     application/octet-stream   bytes of the header as uint32, the header { "q": […], "k": […], "v": […], "options": {} } as JSON with
 *                                spaces up to a multiple of four bytes, then the numbers of q, k and v as float32, little endian
 *                                → the same with the header { "dims": […] }
 */
import { endianness } from "node:os";
import { Refused } from "./refused.mjs";

export const JSON_TYPE = "application/json";
export const BINARY_TYPE = "application/octet-stream";
export const TYPES = [JSON_TYPE, BINARY_TYPE];

const NAMES = ["q", "k", "v"];

/** The call { q, k, v, options } in a body. Sizes and options are left to the engine, which reports what is wrong with them. */
export function readCall(type, body) {
  return type === JSON_TYPE ? readJsonCall(body) : readBinaryCall(body);
}

/** The body of a result. */
export function writeResult(type, { data, dims }) {
  return type === JSON_TYPE ? JSON.stringify({ dims, data: [...data] }) : writeParts({ dims }, [data]);
}

function readJsonCall(body) {
  const { options = {}, ...tensors } = parse(body.toString("utf8"), "the body");
  return { ...Object.fromEntries(NAMES.map((name) => [name, readTensor(name, tensors[name])])), options: readOptions(options) };
}

function readTensor(name, tensor) {
  if (!isObject(tensor)) throw new Refused(400, `"${name}" must be { "dims": […], "data": […] }`);
  const { data, dims } = tensor;
  if (!Array.isArray(data) || !data.every((each) => typeof each === "number")) {
    throw new Refused(400, `"${name}.data" must be an array of numbers`);
  }
  return { data: Float32Array.from(data), dims: readDims(name, dims) };
}

function readBinaryCall(body) {
  if (body.length < 4) throw new Refused(400, "the body ends before its header");
  const start = 4 + body.readUInt32LE(0);
  if (start > body.length) throw new Refused(400, `the body has ${body.length} bytes, and its header alone should have ${start}`);
  if (start % 4 !== 0) throw new Refused(400, `the header must be padded to a multiple of four bytes, got ${start - 4}`);
  const { options = {}, ...sizes } = parse(body.toString("utf8", 4, start), "the header");
  const counts = NAMES.map((name) => readDims(name, sizes[name]).reduce((product, size) => product * size, 1));
  const expected = 4 * counts.reduce((sum, count) => sum + count, 0);
  if (body.length - start !== expected) {
    throw new Refused(
      400,
      `${body.length - start} bytes of numbers follow the header, expected 4 · (${counts.join(" + ")}) = ${expected}`,
    );
  }
  let at = body.byteOffset + start;
  const call = { options: readOptions(options) };
  for (const [index, name] of NAMES.entries()) {
    const bytes = body.buffer.slice(at, (at += 4 * counts[index]));
    call[name] = { data: numbersOf(bytes), dims: sizes[name] };
  }
  return call;
}

/** A body of the binary type. */
export function writeParts(header, arrays) {
  const text = JSON.stringify(header);
  const headerBytes = Buffer.from(text + " ".repeat(-Buffer.byteLength(text) & 3));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(headerBytes.length);
  return Buffer.concat([length, headerBytes, ...arrays.map((array) => Buffer.from(numbersOf(array.slice().buffer).buffer))]);
}

/** Converts between little-endian bytes and this machine's order, in either direction. */
function numbersOf(bytes) {
  if (endianness() === "BE") Buffer.from(bytes).swap32();
  return new Float32Array(bytes);
}

function parse(text, what) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Refused(400, `${what} is not JSON: ${error.message}`);
  }
  if (!isObject(value)) throw new Refused(400, `${what} must be an object`);
  return value;
}

function readDims(name, dims) {
  if (Array.isArray(dims) && dims.every((size) => Number.isInteger(size) && size >= 0)) return dims;
  throw new Refused(400, `the dims of "${name}" must be an array of sizes`);
}

function readOptions(options) {
  if (isObject(options)) return options;
  throw new Refused(400, '"options" must be an object');
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
