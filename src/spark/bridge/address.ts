import { connect } from "node:net";
import type { Conf } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { confNumber } from "../../streaming/conf.ts";

/** Where the bridge listens, and how the server finds it. */
export interface BridgeAddress {
  readonly bind: string;
  readonly port: number;
  /** What the server and its executors are told. */
  readonly host: string;
}

const PROBE_MS = 5_000;

/**
 * `spark.millrace.bridge.host`, `.port` and `.bind`. Without them: any free port at the address by which this machine reaches the server,
 * which is the loopback address for a server on this machine.
 */
export async function bridgeAddress(conf: Conf, authority: string): Promise<BridgeAddress> {
  const port = confNumber(conf, "spark.millrace.bridge.port", 0);
  if (port > 65_535) {
    throw new MillraceError(
      "INVALID_OPTION",
      `spark.millrace.bridge.port is ${port}; it must be a port, or 0 for any.`,
    );
  }
  const given = conf["spark.millrace.bridge.host"];
  const bind = conf["spark.millrace.bridge.bind"];
  if (given !== undefined) return { host: given, port, bind: bind ?? "0.0.0.0" };
  const own = await ownAddress(authority);
  return { host: own, port, bind: bind ?? own };
}

/** Our end of a connection to the server. */
function ownAddress(authority: string): Promise<string> {
  const { host, port } = placeOf(authority);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: PROBE_MS });
    const fail = (reason: string): void => {
      socket.destroy();
      reject(
        new MillraceError("SPARK_UNREACHABLE", `The Spark server at ${host}:${port} cannot be reached: ${reason}.`, {
          hint: "Check that it runs.",
          retryable: true,
          parameters: { host, port: String(port) },
        }),
      );
    };
    socket.once("connect", () => {
      const address = socket.localAddress ?? "127.0.0.1";
      socket.destroy();
      resolve(address.replace(/^::ffff:/, ""));
    });
    socket.once("timeout", () => fail(`no answer within ${PROBE_MS / 1000} s`));
    socket.once("error", (error) => fail(error.message));
  });
}

/** Whether the server's machine says that nothing listens at its port. */
export function refuses(authority: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...placeOf(authority), timeout: PROBE_MS });
    const done = (refused: boolean): void => {
      socket.destroy();
      resolve(refused);
    };
    socket.once("connect", () => done(false));
    socket.once("timeout", () => done(false));
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED"));
  });
}

function placeOf(authority: string): { host: string; port: number } {
  const at = authority.lastIndexOf(":");
  return { host: authority.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(authority.slice(at + 1)) };
}
