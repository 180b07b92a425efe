/** The builds that the tests run on in this host, each with an engine on one thread; builds that it cannot run are named. */
import { beforeEach, describe, test } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import { openGiven, readEngineOptions } from "../../src/engine/openEngine.js";
import { answerAtOnce, take } from "../../src/runtime/steps.js";
import type { Build } from "../../src/runtime/builds.js";
import { host } from "#host";
import { poison } from "./attention.js";

export const canRun = (build: Build): boolean => host.builds.includes(build) && host.whyNot(build) === undefined;

/** The binary of a build as the compiler wrote it, with all operations. */
export const binaryOf = (build: Build): Uint8Array<ArrayBuffer> => host.readBinary(build);
/** The same for attention alone. */
export const attentionBinaryOf = (build: Build): Uint8Array<ArrayBuffer> => host.readBinary(`attention-${build}`);

/** A binary with a wrong constant in 2ˣ: it validates, but computes wrong numbers. */
export function corruptedBinary(): Uint8Array<ArrayBuffer> {
  const bytes = binaryOf("simd");
  const ln2 = new Uint8Array(Float32Array.of(Math.LN2 * 2 ** 27).buffer); // as exp2.ts has it
  const at = bytes.findIndex((_, index) => ln2.every((byte, offset) => bytes[index + offset] === byte));
  if (at < 0) throw new Error("no such constant");
  bytes.set(new Uint8Array(Float32Array.of(0.69 * 2 ** 27).buffer), at);
  return bytes;
}

export const openBuild = (build: Build): Engine =>
  new Engine(take(openGiven("createEngine", readEngineOptions("createEngine", {}, "all"), binaryOf(build)), answerAtOnce).runtime);

/** The same suite on every build; before each test the engine's free memory is NaN. */
export function onEveryBuild(suite: (build: Build, engine: Engine) => void): void {
  for (const build of host.builds) {
    describe(build, () => {
      if (!canRun(build)) {
        test.skip(`not run: ${host.whyNot(build)}`, () => undefined);
        return;
      }
      const engine = openBuild(build);
      beforeEach(() => poison(engine));
      suite(build, engine);
    });
  }
}
