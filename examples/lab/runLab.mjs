/** Runs an experiment: one that returns an SVG has it written where `--svg` says. */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runExample } from "../options.mjs";

/**
 * @param name     of its file
 * @param main     receives the values of the options; returns an SVG, or nothing
 * @param options  more options, with their defaults, as for `runExample`
 */
export const runLab = (name, main, options = {}) =>
  runExample(`lab/${name}`, { ...options, svg: "" }, async (values) => {
    const svg = await main(values);
    if (values.svg === "" || svg === undefined) return;
    const isFolder = statSync(values.svg, { throwIfNoEntry: false })?.isDirectory();
    writeFileSync(isFolder ? join(values.svg, `${name}.svg`) : values.svg, svg);
  });
