/** The packed package in workerd, bundled as for Cloudflare Workers. Nothing may be compiled there: the kernels are deployed modules. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { obtain } from "../hosts/hosts.js";
import { type Consumer, install } from "../hosts/install.js";
import { type CheckResult, expectRight, printReport } from "./check.js";

const host = await obtain("workerd");
const title =
  host.reason === undefined ? `workerd (${host.version})` : `not run: workerd, which is not available here (${host.reason})`;

/** The APIs to build for: the earliest compatibility date that can import the package, and one with Node's modules. */
const BUNDLERS = ["esbuild", "wrangler"] as const;
const DATES = { plain: "2025-05-05", "with Node's modules": "2026-11-01" };
type Api = keyof typeof DATES;

/** The configuration of a server for each API, with a script and the modules next to it. */
function configuration(bundle: string): string {
  const modules = readdirSync(bundle)
    .filter((file) => /\.(js|wasm)$/.test(file))
    .sort((a, b) => Number(b === "main.js") - Number(a === "main.js")) // the first one serves
    .map((file) => `(name = "${file}", ${file.endsWith(".js") ? "esModule" : "wasm"} = embed "${file}")`);
  const names = Object.keys(DATES);
  const services = names.map((name, index) => `(name = "${name}", worker = .worker${index})`);
  const sockets = names.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`);
  const workers = Object.values(DATES).map(
    (date, index) => `const worker${index} :Workerd.Worker = (compatibilityDate = "${date}", modules = .modules);`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (services = [${services.join(", ")}], sockets = [${sockets.join(", ")}]);
    const modules :List(Workerd.Worker.Module) = [${modules.join(", ")}];
    ${workers.join("\n")}`;
}

(host.reason === undefined ? describe : describe.skip)(title, () => {
  let consumer: Consumer;
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    consumer = await install(inject("tarball"), "check.mjs", "workerd");
    ends.push(() => consumer.remove());
  });
  afterAll(() => {
    for (const end of ends.reverse()) end();
    printReport();
  });

  /** Serves a bundle until the tests end; returns ports by the name of the API. */
  const serve = async (executable: string, bundle: string): Promise<ReadonlyMap<string, number>> => {
    writeFileSync(join(bundle, "config.capnp"), configuration(bundle));
    const server = spawn(executable, ["serve", "--control-fd=3", "config.capnp"], {
      cwd: bundle,
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    ends.push(() => server.kill());
    return new Promise((resolve, reject) => {
      const ports = new Map<string, number>();
      let complaints = "";
      server.stderr!.on("data", (data: Buffer) => (complaints += data.toString()));
      server.on("exit", (code) => reject(new Error(`workerd ended with ${code}: ${complaints}`)));
      (server.stdio[3] as Readable).on("data", (data: Buffer) => {
        for (const line of data.toString().trim().split("\n")) {
          const { event, socket, port } = JSON.parse(line) as { event: string; socket: string; port: number };
          if (event === "listen") ports.set(socket, port);
        }
        if (ports.size === Object.keys(DATES).length) resolve(ports);
      });
    });
  };

  describe.each(BUNDLERS)("bundled by %s", (bundler) => {
    let bundle: string;
    let ports: ReadonlyMap<string, number>;

    test("builds without a warning, into a script without kernels and the files of the kernels", async () => {
      const { stdout, stderr } = await consumer.run("npm", "run", "--silent", `build:${bundler}`);
      expect(stdout + stderr).not.toMatch(/warn|▲/i);
      bundle = join(consumer.folder, "dist", bundler);
      expect(readFileSync(join(bundle, "main.js"), "utf8")).not.toMatch(/AGFzbQE|0061736d01/);
      const kernels = readdirSync(bundle).filter((file) => file.endsWith(".wasm"));
      expect(kernels.length).toBe(4);
      if (host.reason === undefined) ports = await serve(host.executable, bundle);
    });

    describe.each(Object.keys(DATES) as Api[])("%s", (api) => {
      const ask = async (path: string, options: object = {}): Promise<CheckResult> => {
        const address = `http://127.0.0.1:${ports.get(api)}/${path}?${encodeURIComponent(JSON.stringify(options))}`;
        const result: unknown = await (await fetch(address)).json();
        return expectRight(`${title}, ${bundler}, ${api}, /${path} ${JSON.stringify(options)}`, result);
      };

      test("createEngine() without options: all operations equal the reference, build relaxed", async () => {
        expect(await ask("")).toMatchObject({ build: "relaxed", fused: true, threads: 1 });
      });

      test("the entry for attention equals the reference", async () => {
        await ask("attention");
      });

      test("build simd, by name", async () => {
        expect(await ask("", { build: "simd" })).toMatchObject({ build: "simd", fused: false });
        expect(await ask("attention", { build: "simd" })).toMatchObject({ build: "simd", fused: false });
      });

      test("several threads: one thread, and the reason", async () => {
        const { threads, threadsReason } = await ask("", { threads: 2 });
        expect({ threads, threadsReason }).toEqual({ threads: 1, threadsReason: "this host has no workers" });
      });

      test("headwise/sync equals the reference", async () => {
        expect(await ask("sync")).toMatchObject({ build: "relaxed" });
        expect(await ask("sync", { build: "simd" })).toMatchObject({ build: "simd" });
      });

      test("engines of the module, made before the first request", async () => {
        await ask("early");
        await ask("early-sync");
      });
    });
  });
});
