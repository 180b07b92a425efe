/** Prints the GFLOP/s that a build's multiply-adds reach at most, in a process of its own: `wide.ts` says why. */
import type { PackagedBuild } from "headwise";
import { enableWide } from "../../src/runtime/wide.js";
import { measureAgainst, peakProbes } from "../ceilings/ceilings.js";

const build = process.argv[2] as PackagedBuild;
if (build === "wide") enableWide("bench");
console.log(measureAgainst(peakProbes(build), []).ceiling);
