import { get } from "node:http";
import { SparkConnectClient } from "../src/spark/client/client.ts";

/** Set by test/shared-services.ts for the processes of the test files. */
export const SERVICES_PORT = "MILLRACE_TEST_SERVICES";

/** Tests that take minutes run where this is "full": `npm run test:real`. */
export const full: boolean = process.env.MILLRACE_REAL === "full";

export interface SharedSpark {
  readonly url: string;
  readonly version: string;
  /** The interpreter of its Python workers; undefined for a server that was given. */
  readonly python?: string;
}

/**
 * The real Spark Connect server that all test files of a run share: use sessions, names and folders of your own on it, and do not end it.
 * MILLRACE_TEST_SPARK=sc://... takes a running one instead. `{ unavailable }` says why there is none.
 *
 * ```ts
 * const spark = given(await sharedSpark());
 * describe.skipIf(spark === undefined)("on Spark", () => { ... });
 * ```
 */
export async function sharedSpark(): Promise<SharedSpark | { unavailable: string }> {
  const running = process.env.MILLRACE_TEST_SPARK;
  if (running) {
    const client = await SparkConnectClient.connect(running);
    await client.close();
    return { url: running, version: client.serverVersion };
  }
  const port = process.env[SERVICES_PORT];
  if (port === undefined) return { unavailable: "the shared servers run under vitest only" };
  // Not fetch: that gives up after five minutes, and the first run fetches Spark.
  return await new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port: Number(port), path: "/spark" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(JSON.parse(text)));
    }).on("error", reject);
  });
}
