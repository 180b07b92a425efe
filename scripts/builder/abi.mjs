/** assembly/ → what the kernels and TypeScript agree on. Both files are checked in, and rewritten when they are stale. */
import { refresh } from "../abi.mjs";
import { listFiles } from "./files.mjs";
import { root, scripts } from "./tool.mjs";

const GENERATED = ["assembly/abi/hash.generated.ts", "src/runtime/abi.generated.ts"];

export const ABI = {
  name: "abi",
  makes: `assembly → ${GENERATED.join(", ")}`,
  inputs: () => [
    ...scripts("abi"),
    "scripts/abi.mjs",
    "package.json",
    ...listFiles(root, "assembly").filter((file) => !GENERATED.includes(file)),
  ],
  outputs: GENERATED,
  run: async () => void refresh(root),
};
