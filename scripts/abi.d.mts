type FieldType = "usize" | "i32" | "f32";

interface Signature {
  readonly parameters: readonly (readonly [name: string, type: string])[];
  readonly result: string;
}

export interface Abi {
  readonly version: string;
  readonly structs: Readonly<Record<string, Readonly<Record<string, FieldType>>>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly onlyFull: readonly string[];
  readonly constants: Readonly<Record<string, number>>;
  readonly functions: Readonly<Record<string, Signature>>;
  readonly attentionFunctions: Readonly<Record<string, Signature>>;
  readonly sharedKernels: readonly string[];
}

export function readAbi(root?: string): Abi;
export function hashOf(abi: Abi): number;
export function generate(root?: string): Record<string, string>;
export function refresh(root?: string): string[];
export const GENERATED: readonly string[];
