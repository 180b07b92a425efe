const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };

export const attend = (engine) => engine.scaledDotProductAttention(x, x, x, { causal: true });
export const shown = ({ data }) => Array.from(data, (value) => value.toFixed(3)).join(" ");
