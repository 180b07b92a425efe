/** What a worker needs for engines with all operations. */
import { FullEngine } from "../fullEngine.js";
import { LinearAttentionState } from "../layers/linearAttentionState.js";
import { MultiHeadAttention } from "../layers/multiHeadAttention.js";
import { PackedMatrix } from "../layers/packedMatrix.js";
import type { FullKinds } from "./serveEngine.js";

export const fullKinds: FullKinds = { FullEngine, kinds: { LinearAttentionState, MultiHeadAttention, PackedMatrix } };
