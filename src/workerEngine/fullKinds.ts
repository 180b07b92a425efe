/** What a worker needs for engines with all operations. */
import { FullEngine } from "../engine/fullEngine.js";
import { LinearAttentionState } from "../linear/linearAttentionState.js";
import { MultiHeadAttention } from "../multiHead/multiHeadAttention.js";
import { PackedMatrix } from "../product/packedMatrix.js";
import type { FullKinds } from "./serveEngine.js";

export const fullKinds: FullKinds = { FullEngine, kinds: { LinearAttentionState, MultiHeadAttention, PackedMatrix } };
