import { MillraceError } from "../../errors.ts";
import type { BridgeCall } from "../bridge/command.ts";
import { sparkError } from "../client/failure.ts";

/** What the server says of a query's failure. */
export interface ServerException {
  readonly exceptionMessage?: string | undefined;
  readonly errorClass?: string | undefined;
  readonly stackTrace?: string | undefined;
}

/**
 * Troubles of the cluster's own with servers that come back: Kafka's retriable exceptions, connections that break. Spark ends the query
 * with them; it is started again as the embedded engine does.
 */
const PASSING =
  /org\.apache\.kafka\.common\.errors\.(\w*Timeout|Disconnect|Network|NotLeader\w*|LeaderNotAvailable|CoordinatorNotAvailable|UnknownTopicOrPartition|NotEnoughReplicas\w*)Exception|java\.net\.(ConnectException|SocketException|SocketTimeoutException|NoRouteToHostException)|ExecutorLostFailure|Python worker (failed|to connect back)|waiting for the Python worker to connect back/;

/** The cause of a query's failure as one of our errors: with Spark's class, or what our own code on the server said. */
export function causeOf(exception: ServerException, call: BridgeCall | undefined): MillraceError {
  const message = exception.exceptionMessage ?? "";
  const own = call === undefined ? undefined : bridgeFailure(message, call);
  if (own !== undefined) return own;
  const inner = message.replace(
    /^(?:[\w$.]+: )?(?:\[STREAM_FAILED\] )?Query \[id = [^\]]*\] terminated with exception: /,
    "",
  );
  const errorClass = /^(?:[\w.$]+: )?\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]/.exec(inner)?.[1] ?? exception.errorClass;
  const error = sparkError({
    errorClass: errorClass === "STREAM_FAILED" && inner !== message ? undefined : errorClass,
    sqlState: /SQLSTATE: (\w{5})/.exec(inner)?.[1],
    parameters: {},
    errorId: undefined,
    message: inner,
  });
  if (!PASSING.test(`${message}\n${exception.stackTrace ?? ""}`)) return error;
  return new MillraceError(error.code, error.reason, {
    hint: error.hint,
    cause: error.cause,
    parameters: { ...error.parameters },
    retryable: true,
  });
}

/** What the code of the bridge on the server failed with; it marks its own words. */
function bridgeFailure(message: string, { host, port }: BridgeCall): MillraceError | undefined {
  const marked = /<<millrace (\{.*?\})>>/s.exec(message)?.[1];
  if (marked === undefined) return undefined;
  let said: { code: string; text: string };
  try {
    said = JSON.parse(marked) as { code: string; text: string };
  } catch {
    return undefined; // Spark cut it off
  }
  const parameters = { host, port: String(port) };
  switch (said.code) {
    case "BRIDGE_UNREACHABLE":
      return new MillraceError(
        "BRIDGE_UNREACHABLE",
        `The Spark server cannot reach this process at ${host}:${port}, where its rows go: ${said.text}.`,
        {
          hint: "Set spark.millrace.bridge.host to an address of this machine that the server and its executors reach, spark.millrace.bridge.port to a port that is open between them, and spark.millrace.bridge.bind to the address to listen on.",
          parameters,
        },
      );
    case "BRIDGE_REFUSED":
      return new MillraceError(
        "BRIDGE_UNREACHABLE",
        `Something at ${host}:${port} answers the Spark server, but it is not this query: ${said.text}.`,
        {
          hint: "Set spark.millrace.bridge.host and spark.millrace.bridge.port to an address that leads to this process and nowhere else.",
          parameters,
        },
      );
    default:
      return new MillraceError(
        "BRIDGE_UNREACHABLE",
        `The connection between the Spark server and this process at ${host}:${port} broke: ${said.text}.`,
        { hint: "Check the network between them.", retryable: true, parameters },
      );
  }
}
