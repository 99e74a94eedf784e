import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type RunningSpark, startSpark } from "../services/spark.ts";
import { SERVICES_PORT } from "./shared-spark.ts";

/**
 * vitest's global set-up: servers that the test files of one run share. Each is started when the first file asks for it and is ended with
 * the run; a run without such files starts none.
 */
export default async function setup(): Promise<() => Promise<void>> {
  let spark: Promise<RunningSpark | { unavailable: string }> | undefined;
  const server = createServer((_request, response) => {
    spark ??= startSpark({ memory: "2g", brief: true }).catch((error: Error) => ({ unavailable: error.message }));
    void spark.then((got) => {
      const answer = "unavailable" in got ? got : { url: got.url, version: got.version, python: got.python };
      response.end(JSON.stringify(answer));
    });
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  server.unref();
  process.env[SERVICES_PORT] = `${(server.address() as AddressInfo).port}`;
  return async () => {
    server.close();
    const started = await spark;
    if (started !== undefined && !("unavailable" in started)) await started.stop();
  };
}
