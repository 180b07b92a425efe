/** Prints the peak GFLOP/s of a build's multiply-adds, in its own process: `sections/wide.ts` says why. */
import type { PackagedBuild } from "headwise";
import { enableWide } from "../src/runtime/wide.js";
import { measureAgainst, peakProbes } from "./ceilings/ceilings.js";

const build = process.argv[2] as PackagedBuild;
if (build === "wide") enableWide("bench");
console.log(measureAgainst(peakProbes(build), []).ceiling);
