import { Code, type ConnectError } from "@connectrpc/connect";
import { type ErrorCode, MillraceError, SPARK_ERROR_CLASSES } from "../../errors.ts";
import { functionError } from "../functions/report.ts";
import { ErrorInfoSchema } from "../proto/google-rpc_pb.ts";
import type { FetchErrorDetailsResponse, FetchErrorDetailsResponse_Error } from "../proto/spark-connect_pb.ts";
import { fromServer, isConnectionFailure, nodeCodes } from "./retry.ts";
import type { ConnectAddress } from "./url.ts";

/** What the status of a failed call says by itself. */
export interface ErrorSummary {
  readonly errorClass: string | undefined;
  readonly sqlState: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  /** The key to FetchErrorDetails. */
  readonly errorId: string | undefined;
  readonly message: string;
}

export function summaryOf(error: ConnectError): ErrorSummary {
  const metadata = error.findDetails(ErrorInfoSchema)[0]?.metadata ?? {};
  const message = error.rawMessage;
  return {
    // Errors of the service itself (handles, cursors) have their class only in the text.
    errorClass: metadata.errorClass ?? /^(?:[\w.$]+: )?\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]/.exec(message)?.[1],
    sqlState: metadata.sqlState,
    parameters: parsedParameters(metadata.messageParameters),
    errorId: metadata.errorId,
    message,
  };
}

function parsedParameters(text: string | undefined): Record<string, string> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    return {}; // cut off by the server, which limits the size of a status; FetchErrorDetails has them whole
  }
}

const CLASSES: ReadonlySet<string> = new Set(SPARK_ERROR_CLASSES);

/**
 * Spark's error as ours. The code is Spark's error class, or the class above it, when it is one of the set; SPARK_ERROR otherwise.
 * `parameters` are Spark's message parameters, with `errorClass` where the code is not the whole class. `cause` is the chain of the
 * server's exceptions with their stacks, when the server told them.
 */
export function sparkError(summary: ErrorSummary, details?: FetchErrorDetailsResponse): MillraceError {
  const errors = details?.errors ?? [];
  for (const message of [...errors.map((e) => e.message), summary.message]) {
    const failed = functionError(message);
    if (failed !== undefined) return failed;
  }
  const root = details?.rootErrorIdx === undefined ? undefined : errors[details.rootErrorIdx];
  const thrown = firstThrowable(root, errors);
  const errorClass = thrown?.errorClass ?? summary.errorClass;
  const sqlState = thrown?.sqlState ?? summary.sqlState;
  const parameters = { ...(thrown === undefined ? summary.parameters : thrown.messageParameters) };
  const code = codeOf(errorClass);
  const text = plainText(root?.message || summary.message, errorClass);
  if (errorClass !== undefined && errorClass !== code) parameters.errorClass = errorClass;
  return new MillraceError(code, code === errorClass || errorClass === undefined ? text : `${errorClass}: ${text}`, {
    parameters,
    cause: root === undefined ? new Error(summary.message) : exceptionOf(root, errors, new Set()),
    ...(sqlState !== undefined && { sqlState }),
  });
}

/** Of an exception and its causes, the first that carries an error class. */
function firstThrowable(
  root: FetchErrorDetailsResponse_Error | undefined,
  errors: readonly FetchErrorDetailsResponse_Error[],
): FetchErrorDetailsResponse_Error["sparkThrowable"] {
  const seen = new Set<unknown>();
  for (
    let at = root;
    at !== undefined && !seen.has(at);
    at = at.causeIdx === undefined ? undefined : errors[at.causeIdx]
  ) {
    seen.add(at);
    if (at.sparkThrowable?.errorClass !== undefined) return at.sparkThrowable;
  }
  return undefined;
}

function codeOf(errorClass: string | undefined): ErrorCode {
  for (let at = errorClass; at !== undefined && at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    if (CLASSES.has(at)) return at as ErrorCode;
  }
  return "SPARK_ERROR";
}

/** The message without the class before it and the state behind it: our error carries both. */
function plainText(message: string, errorClass: string | undefined): string {
  let text = message.replace(/^(?:[\w$]+\.)+[\w$]+: (?=\[)/, "");
  if (errorClass !== undefined && text.startsWith(`[${errorClass}]`)) text = text.slice(errorClass.length + 2);
  return text.replace(/\s*SQLSTATE: \w{5}(?=\s|;|$)/, "").trim();
}

/** What is shown of a JVM's stack: below lie the server's own calls, the same for every query. */
const FRAMES = 15;

/** An exception of the server: its class as name, the JVM's stack as stack. */
function exceptionOf(
  error: FetchErrorDetailsResponse_Error,
  errors: readonly FetchErrorDetailsResponse_Error[],
  seen: Set<FetchErrorDetailsResponse_Error>,
): Error {
  seen.add(error);
  const next = error.causeIdx === undefined ? undefined : errors[error.causeIdx];
  const result = new Error(
    error.message,
    next === undefined || seen.has(next) ? {} : { cause: exceptionOf(next, errors, seen) },
  );
  result.name = error.errorTypeHierarchy[0] ?? "java.lang.Throwable";
  const frames = error.stackTrace
    .slice(0, FRAMES)
    .map((f) => `    at ${f.declaringClass}.${f.methodName}(${f.fileName ?? "Unknown Source"}:${f.lineNumber})`);
  if (error.stackTrace.length > FRAMES) frames.push(`    ... ${error.stackTrace.length - FRAMES} more`);
  result.stack = [`${result.name}: ${error.message}`, ...frames].join("\n");
  return result;
}

/** Whether the server says that it does not have this session, or has another under its id. */
export function isSessionLost(errorClass: string | undefined): boolean {
  return /^INVALID_HANDLE\.SESSION_(NOT_FOUND|CHANGED|CLOSED)$/.test(errorClass ?? "");
}

export function sessionLost(address: ConnectAddress, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "SPARK_SESSION_LOST",
    `The session on the Spark server at ${address.authority} is gone: ${why}.`,
    {
      hint:
        "Its cached data and running queries went with it. Try again: the next action has a new session with the same settings and " +
        "temporary views; streaming queries go on from their checkpoints.",
      cause,
      retryable: true,
    },
  );
}

/**
 * A call that did not come to an answer of Spark's: where, why, and what to do. `met` says whether the server answered any call before.
 */
export function transportError(error: ConnectError, address: ConnectAddress, met: boolean): MillraceError {
  const at = address.authority;
  const codes = nodeCodes(error);
  const has = (pattern: RegExp): boolean => codes.some((code) => pattern.test(code));
  const unreachable = (why: string, hint: string, retryable = true): MillraceError =>
    new MillraceError("SPARK_UNREACHABLE", `No Spark Connect server could be reached at ${at}: ${why}.`, {
      hint,
      cause: error,
      retryable,
    });
  if (fromServer(error) || error.code === Code.Unauthenticated || error.code === Code.PermissionDenied) {
    switch (error.code) {
      case Code.Unauthenticated:
      case Code.PermissionDenied:
        return new MillraceError(
          "SPARK_AUTHENTICATION",
          `The Spark server at ${at} refused ${address.token === undefined ? "a client without a token" : "the token"}: ${error.rawMessage}.`,
          {
            hint:
              address.token === undefined
                ? "It wants one: sc://host:port/;token=... or the variable SPARK_CONNECT_AUTHENTICATE_TOKEN, with the server's spark.connect.authenticate.token."
                : "Give the token of the server's spark.connect.authenticate.token.",
            cause: error,
          },
        );
      case Code.Unimplemented:
        return new MillraceError(
          "SPARK_UNSUPPORTED_SERVER",
          `The server at ${at} does not know the call: ${error.rawMessage}.`,
          {
            hint: "It must be a Spark Connect server of Spark 4.0 or later.",
            cause: error,
          },
        );
      case Code.ResourceExhausted:
        return new MillraceError(
          "SPARK_ERROR",
          `The Spark server at ${at} took no message of this size: ${error.rawMessage}.`,
          {
            hint: "Raise spark.connect.grpc.maxInboundMessageSize on the server, or send less at once.",
            cause: error,
          },
        );
      case Code.Unavailable:
        return unreachable(error.rawMessage, "It may be starting or stopping: look at its log, then try again.");
      default:
    }
  }
  if (has(/^(ENOTFOUND|EAI_)/)) {
    return unreachable(`no machine is known as "${address.host}"`, "Check the address.", has(/^EAI_AGAIN/));
  }
  if (has(/^ECONNREFUSED/)) {
    return unreachable(
      "nothing listens there",
      `Start the server (sbin/start-connect-server.sh, or npm run services), or check the port: Spark Connect's is 15002 by default.`,
    );
  }
  if (has(/^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNABORTED)/) || error.code === Code.DeadlineExceeded) {
    return unreachable("it does not answer", "Check the address, and that no firewall is between.");
  }
  if (has(/^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/)) {
    return unreachable(
      `its certificate is not trusted (${codes.find((c) => !c.startsWith("ERR_HTTP2")) ?? error.rawMessage})`,
      "Give the certificate of its issuer with NODE_EXTRA_CA_CERTS=file.pem, and the host as the certificate names it.",
      false,
    );
  }
  if (has(/^(EPROTO|ERR_SSL)/)) {
    return unreachable(
      "it does not speak TLS",
      `Leave "use_ssl=true" and the token out of the address, or put a proxy with TLS before the server: Spark's own server has none.`,
      false,
    );
  }
  if (/(read|write)MaxBytes|message size|larger than/i.test(error.rawMessage)) {
    const ours = /write/i.test(error.rawMessage);
    return new MillraceError(
      "SPARK_ERROR",
      `A message ${ours ? "to" : "of"} the Spark server at ${at} is too large: ${error.rawMessage}.`,
      {
        hint: ours
          ? "Raise grpc_max_message_size in the address and spark.connect.grpc.maxInboundMessageSize on the server, or make the plan smaller."
          : "Raise grpc_max_message_size in the address, or ask for less at once.",
        cause: error,
      },
    );
  }
  const port =
    "Check the port: Spark Connect's is 15002 by default, the master's (7077) and the web page's (4040) are others.";
  if (has(/^(ERR_HTTP2_ERROR|HPE_)/) || /^HTTP \d|unsupported content type/.test(error.rawMessage)) {
    const hint = `${port}${address.tls ? "" : " If the server is behind TLS, add ;use_ssl=true."}`;
    return unreachable(`what answers there is no Spark Connect server (${error.rawMessage})`, hint, false);
  }
  if (!met && isConnectionFailure(error)) {
    const hint = address.tls ? port : `If it is behind TLS, add ;use_ssl=true to the address. ${port}`;
    return unreachable("it closes the connection without an answer", hint);
  }
  return unreachable(error.rawMessage, "Look at the server's log, then try again.");
}
