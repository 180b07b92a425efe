/** JavaScript hosts for tests of the package: npm packages, installed on first use; unavailable ones have a reason. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Kept between runs, by version, so nothing here becomes stale. */
const FOLDER = resolve(".hosts");
const { platform, arch } = process;
const LIBC = platform === "linux" ? "-glibc" : "";
const EXE = platform === "win32" ? ".exe" : "";
const node = (version: string) => ({ pkg: `node-${platform}-${arch}@${version}`, file: `node-${platform}-${arch}/bin/node${EXE}` });
const WORKERD = `@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}`;

/** By name: the package to install, and the executable in it. */
const PACKAGES = {
  "Node 20": node("20.20.2"),
  "Node 22": node("22.23.3"),
  "Node 24": node("24.21.0"),
  "Node 26": node("26.9.0"),
  Deno: { pkg: `@deno/${platform}-${arch}${LIBC}@2.9.6`, file: `@deno/${platform}-${arch}${LIBC}/deno${EXE}` },
  Bun: { pkg: `@oven/bun-${platform}-${arch}@1.4.5`, file: `@oven/bun-${platform}-${arch}/bin/bun${EXE}` },
  workerd: { pkg: `${WORKERD}@1.20261117.1`, file: `${WORKERD}/bin/workerd${EXE}` },
};
export type HostName = keyof typeof PACKAGES;
export const HOSTS = Object.keys(PACKAGES) as HostName[];

/** An available host, or why it is not available. */
export type Host =
  | { readonly name: HostName; readonly version: string; readonly executable: string; readonly reason?: undefined }
  | { readonly name: HostName; readonly reason: string };

/** Whether an unavailable host is an Error instead of a skipped test. */
export const areHostsRequired = process.env["HEADWISE_REQUIRE_HOSTS"] === "1";

/**
 * The executable of a host, installed if necessary.
 * @throws {Error} the host is not available but required
 */
export async function obtain(name: HostName): Promise<Host> {
  const host = await look(name);
  if (host.reason !== undefined && areHostsRequired) throw new Error(host.reason);
  return host;
}

async function look(name: HostName): Promise<Host> {
  const { pkg, file } = PACKAGES[name];
  if (process.release.name === "node" && name === `Node ${process.versions.node.split(".")[0]}`) {
    return { name, version: process.versions.node, executable: process.execPath };
  }
  const prefix = `${FOLDER}/${pkg.replaceAll("/", "+")}`;
  const executable = `${prefix}/node_modules/${file}`;
  try {
    if (!existsSync(executable)) {
      mkdirSync(prefix, { recursive: true });
      writeFileSync(`${prefix}/package.json`, '{ "private": true }\n');
      await run("npm", ["install", "--prefix", prefix, "--ignore-scripts", "--no-audit", "--no-fund", pkg], { shell: EXE !== "" });
    }
    await run(executable, ["--version"]);
    return { name, version: pkg.slice(pkg.lastIndexOf("@") + 1), executable };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const lines = (stderr || message).trim().split("\n");
    return { name, reason: `${pkg}: ${lines.find((line) => !line.startsWith("npm warn")) ?? lines[0]}` };
  }
}
