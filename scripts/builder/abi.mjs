/** assembly/ → what the kernels and TypeScript agree on. Neither file is checked in. */
import { GENERATED, refresh } from "../abi.mjs";
import { listFiles } from "./files.mjs";
import { root, scripts } from "./tool.mjs";

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
