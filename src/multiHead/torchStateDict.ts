/** Reads the configuration and the parameters of a layer from a state dict of PyTorch's nn.MultiheadAttention. */
import type { Call } from "../call/call.js";
import { describe, show, wrongKind, wrongValue, isAbsent, isObject } from "../check.js";
import { type Operand } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import { readOptions } from "../call/readOptions.js";
import type { TensorLike } from "../call/tensor.js";
import { type MultiHeadAttentionConfig, type MultiHeadConfig, readMultiHeadConfig } from "./config.js";
import type { ParameterName, ParameterOperands } from "./parameters.js";

/** Tensors by name, as `state_dict()` returns them. */
export type TorchStateDict = Readonly<Record<string, TensorLike>>;

/** Facts that a state dict doesn't contain. */
export interface FromTorchOptions extends Pick<MultiHeadAttentionConfig, "headGates" | "addZeroAttention"> {
  /** Heads. */
  numHeads: number;
  /** The beginning of the layer's names, such as "encoder.0.self_attn."; other names are ignored. Default none. */
  prefix?: string | undefined;
}

export const FROM_TORCH: Operation = {
  name: "createMultiHeadAttention.fromTorch",
  options: ["numHeads", "prefix", "headGates", "addZeroAttention"],
  places: [],
};

const NAMES: Readonly<Record<string, ParameterName>> = {
  in_proj_weight: "qkv",
  q_proj_weight: "q",
  k_proj_weight: "k",
  v_proj_weight: "v",
  in_proj_bias: "qkvBias",
  "out_proj.weight": "out",
  "out_proj.bias": "outBias",
  bias_k: "biasK",
  bias_v: "biasV",
};
const TORCH_NAMES = new Map(Object.entries(NAMES).map(([name, parameter]) => [parameter, name]));

/**
 * PyTorch's name of a parameter.
 * @internal
 */
export const torchNameOf = (name: ParameterName): string => TORCH_NAMES.get(name) ?? name;

/**
 * Reads a state dict. Each getter is read once.
 *
 * @returns the layer's configuration, and its parameters by headwise's names
 * @internal
 */
export function readTorchStateDict(
  call: Call,
  stateDict: TorchStateDict,
  options: FromTorchOptions,
): { config: MultiHeadConfig; operands: ParameterOperands } {
  if (!isObject(stateDict)) {
    throw wrongKind(call.operation, `"stateDict" must be an object of tensors by name, got ${describe(stateDict)}`);
  }
  const { numHeads, prefix = "", headGates, addZeroAttention } = readOptions(FROM_TORCH, options);
  if (typeof prefix !== "string") throw wrongKind(call.operation, `"prefix" must be a string, got ${describe(prefix)}`);

  const operands = new Map<ParameterName, Operand>();
  for (const full of Object.keys(stateDict)) {
    if (!full.startsWith(prefix)) continue;
    const name = Object.hasOwn(NAMES, full.slice(prefix.length)) ? NAMES[full.slice(prefix.length)] : undefined;
    if (!name) {
      const known = Object.keys(NAMES).join(", ");
      throw wrongKind(
        call.operation,
        `"stateDict" holds "${full}", expected ${known}; if it holds other layers too, give the "prefix" of this one`,
      );
    }
    const value: unknown = stateDict[full];
    if (!isAbsent(value)) operands.set(name, call.numbers(full, value));
  }
  const matrix = (name: ParameterName): Operand | undefined => {
    const operand = operands.get(name);
    if (operand && operand.dims.length !== 2) {
      throw wrongValue(
        call.operation,
        `"${operand.name}" has dims ${show(operand.dims)}, expected [out, in]`,
      );
    }
    return operand;
  };
  const out = matrix("out");
  if (!out) throw wrongKind(call.operation, `"${prefix}out_proj.weight" is missing from "stateDict"`);
  const config = readMultiHeadConfig(call, {
    ...{ embedDim: out.dims[0]!, numHeads, headGates, addZeroAttention },
    ...{ kDim: matrix("k")?.dims[1], vDim: matrix("v")?.dims[1] },
  });
  return { config, operands };
}
