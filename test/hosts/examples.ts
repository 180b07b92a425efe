/** The examples in a project that has the packed package installed. */
import { cpSync, existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Consumer, consumerIn } from "./install.js";

const INSTALL = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--no-package-lock"];

/** The folder of trained models, where it is. */
export const MODELS = [process.env["HEADWISE_MODELS"], resolve("../shared/models")].find((folder) => folder && existsSync(folder));

/**
 * Copies the examples and installs the package for all of them.
 *
 * @param withPackages  examples whose own packages are installed, too
 */
export async function installExamples(tarball: string, withPackages: readonly string[] = []): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), "headwise-examples-"));
  const filter = (path: string): boolean => !path.includes("node_modules");
  cpSync("examples", join(folder, "examples"), { recursive: true, filter });
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const consumer = consumerIn(folder);
  await consumer.run("npm", ...INSTALL, tarball);
  for (const name of withPackages) await consumer.run("npm", ...INSTALL, "--prefix", join("examples", name), tarball);
  return consumer;
}
