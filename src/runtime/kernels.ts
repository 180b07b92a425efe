/** Kernels whose work threads share, and what readies a workspace for them. */
import type { Kernels, SharedKernel } from "./abi.generated.js";

/** What lays out a thread's workspace before such a kernel runs, where it needs that. */
const PLACERS: Partial<Record<SharedKernel, "placeWorkspace" | "placeProduct" | "placeLinearWork">> = {
  attention: "placeWorkspace",
  splitScores: "placeWorkspace",
  splitValues: "placeWorkspace",
  matmul: "placeProduct",
  linearAttention: "placeLinearWork",
};

/** Readies a thread's workspace for a kernel. */
export function placeWorkspace(kernels: Kernels, kernel: SharedKernel, params: number, workspace: number): void {
  const placer = PLACERS[kernel];
  if (placer) kernels[placer](params, workspace);
}
