/** Sizes that TypeScript needs too: `scripts/abi.mjs` follows these exports. */
export { BLOCK, PANEL } from "../tiles/layout";
export { K_BLOCK } from "../product/matmul";
