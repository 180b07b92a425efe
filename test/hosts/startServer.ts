/** Starts the server of a consumer. */
import { spawn } from "node:child_process";
import { type Consumer, environment } from "./install.js";
import type { Site } from "./serve.js";

/**
 * Runs an executable, which prints the address that it serves, until `close` is called.
 * @param env  further variables of its environment
 */
export async function startServer(
  { folder }: Consumer,
  executable: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const server = spawn(executable, args, { cwd: folder, env: { ...environment(), ...env } });
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  let output = "";
  const origin = await new Promise<string>((resolve, reject) => {
    const take = (data: Buffer): void => {
      output += data.toString();
      const address = /http:\/\/localhost:\d+(?=\/?\s)/.exec(output)?.[0];
      if (address) resolve(address);
    };
    server.stdout.on("data", take);
    server.stderr.on("data", take);
    server.once("error", reject);
    void ended.then(() => reject(new Error(`the server ended: ${output}`)));
  });
  return {
    origin,
    close: () => {
      server.kill();
      return ended;
    },
  };
}
