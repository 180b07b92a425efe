/** The functions that `activate` knows. */
export const enum Activation {
  GELU = 0,
  GELU_TANH = 1,
  SILU = 2,
  RELU = 3,
  TANH = 4,
  SIGMOID = 5,
}
