export const WEIGHT_LAYOUTS = ["inOut", "outIn"] as const;
export type WeightLayout = (typeof WEIGHT_LAYOUTS)[number];
