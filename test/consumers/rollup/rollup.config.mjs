import resolve from "@rollup/plugin-node-resolve";

export default {
  input: ["main.mjs", "worker.mjs", "attentionWorker.mjs"],
  output: { dir: "dist", entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" },
  plugins: [resolve()],
};
