/** `npm start`: attention on a sentence with published numbers, then on layers in the sizes of real models. */
import { parseArgs } from "node:util";
import { createEngine, type EngineOptions } from "headwise";
import { attendSentence } from "./attendSentence.js";
import { attendLayers } from "./attendLayers.js";

const USAGE = `npm start -- [--build auto|simd|relaxed]`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { build: { type: "string", default: "auto" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const engine = await createEngine({ build: values.build as EngineOptions["build"] });
  const { build, buildReason, fused } = engine.info;
  const reason = buildReason ? `: ${buildReason}` : fused ? ", fused multiply-add" : "";
  console.log(`headwise ${engine.info.version}, Node ${process.version}, build ${build}${reason}\n`);

  const isSentenceRight = attendSentence(engine);
  const areLayersRight = attendLayers(engine);
  engine.dispose();
  if (!isSentenceRight || !areLayersRight) {
    console.error("An error exceeds its bound.");
    process.exitCode = 1;
  }
}

// A reader that has seen enough, such as `head`, closes the pipe: not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 2;
});
