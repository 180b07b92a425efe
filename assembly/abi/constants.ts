/** Sizes that TypeScript needs too: `scripts/abi.mjs` follows these exports. */
export { BLOCK, K_BLOCK, PANEL } from "../tiles/layout";
