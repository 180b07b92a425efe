/** Starts the service; on Ctrl-C or SIGTERM ends it after the accepted calls are finished. */
import { runExample, UsageError } from "../options.mjs";
import { Service } from "./service.mjs";

async function main({ host, port, threads, waiting, timeout, "body-bytes": bodyBytes, "memory-bytes": maximumMemory }) {
  const number = Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw new UsageError(`--port ${port}: not a port`);
  const service = new Service({ waiting, timeout, bodyBytes }, { threads, maximumMemory });
  const address = await service.listen(number, host).catch((error) => {
    throw new UsageError(error.message); // such as a port that is taken
  });
  console.log(`listening at ${address}`);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      console.log(`${signal}: finishing accepted calls; repeat to end at once`);
      void service.close().then(() => console.log("finished"));
    });
  }
}

const DEFAULTS = {
  host: "localhost",
  port: "8080",
  threads: 1,
  waiting: 16,
  timeout: 10_000,
  "body-bytes": 16 * 2 ** 20,
  "memory-bytes": 2 ** 30,
};
await runExample("service", DEFAULTS, main);
