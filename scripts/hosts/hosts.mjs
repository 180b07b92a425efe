// JavaScript hosts to try the package in, each an npm package that is installed when first wanted; who can't be had says why.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Kept between runs, and by version: nothing here is ever stale. */
const FOLDER = fileURLToPath(new URL("../../.hosts/", import.meta.url));
const { platform, arch } = process;
const LIBC = platform === "linux" ? "-glibc" : "";
const EXE = platform === "win32" ? ".exe" : "";
const node = (version) => ({ pkg: `node-${platform}-${arch}@${version}`, file: `node-${platform}-${arch}/bin/node${EXE}` });

/** By name: what to install, and the executable in it. */
const PACKAGES = {
  "Node 20": node("20.20.2"),
  "Node 22": node("22.23.3"),
  "Node 24": node("24.21.0"),
  "Node 26": node("26.9.0"),
  Deno: { pkg: `@deno/${platform}-${arch}${LIBC}@2.9.6`, file: `@deno/${platform}-${arch}${LIBC}/deno${EXE}` },
  Bun: { pkg: `@oven/bun-${platform}-${arch}@1.4.5`, file: `@oven/bun-${platform}-${arch}/bin/bun${EXE}` },
  workerd: {
    pkg: `@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}@1.20261117.1`,
    file: `@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}/bin/workerd${EXE}`,
  },
};
export const HOSTS = Object.keys(PACKAGES);

/**
 * The executable of a host, installed where it is not there yet.
 *
 * @param name  one of HOSTS
 * @returns {Promise<{ name: string, version: string, executable: string } | { name: string, reason: string }>}
 */
export async function obtain(name) {
  const { pkg, file } = PACKAGES[name];
  const version = pkg.slice(pkg.lastIndexOf("@") + 1);
  if (process.release.name === "node" && name === `Node ${process.versions.node.split(".")[0]}`) {
    return { name, version: process.versions.node, executable: process.execPath };
  }
  const prefix = `${FOLDER}${pkg.replaceAll("/", "+")}`;
  const executable = `${prefix}/node_modules/${file}`;
  try {
    if (!existsSync(executable)) {
      mkdirSync(prefix, { recursive: true });
      writeFileSync(`${prefix}/package.json`, '{ "private": true }\n');
      await run("npm", ["install", "--prefix", prefix, "--ignore-scripts", "--no-audit", "--no-fund", pkg], { shell: EXE !== "" });
    }
    await run(executable, ["--version"]);
    return { name, version, executable };
  } catch (error) {
    return {
      name,
      reason: `${pkg}: ${String(error.stderr || error.message)
        .trim()
        .split("\n")
        .at(0)}`,
    };
  }
}
