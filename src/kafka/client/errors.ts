import { MillraceError, type ErrorCode as MillraceErrorCode } from "../../errors.ts";
import { ErrorCode } from "../wire/error-codes.ts";

/** Codes that only a client meets: other brokers answer them, ours does not. */
export const ClientErrorCode = {
  ...ErrorCode,
  BROKER_NOT_AVAILABLE: 8,
  REPLICA_NOT_AVAILABLE: 9,
  NETWORK_EXCEPTION: 13,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_SASL_MECHANISM: 33,
  ILLEGAL_SASL_STATE: 34,
  NOT_CONTROLLER: 41,
  POLICY_VIOLATION: 44,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  UNSTABLE_OFFSET_COMMIT: 88,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
} as const;

const NAMES = new Map<number, string>(Object.entries(ClientErrorCode).map(([name, code]) => [code, name]));

// org.apache.kafka.common.errors.RetriableException and its subclasses.
const RETRIABLE = new Set<number>([
  3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 56, 70, 71, 74, 75, 78, 88, 89, 100, 103,
]);
const AUTHENTICATION = new Set<number>([29, 30, 31, 33, 34, 53, 58]);

/** Kafka's name of an error code. */
export function errorName(code: number): string {
  return NAMES.get(code) ?? `error ${code}`;
}

/** True when the same request may succeed after a look at fresh metadata. */
export function isRetriable(code: number): boolean {
  return RETRIABLE.has(code);
}

/** What a broker answered, as an error; `doing` completes "The Kafka broker refused to ...". */
export function brokerError(code: number, doing: string, detail?: string | null): MillraceError {
  const name = errorName(code);
  const errorCode: MillraceErrorCode = AUTHENTICATION.has(code)
    ? "KAFKA_AUTHENTICATION"
    : code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      ? "KAFKA_UNKNOWN_TOPIC"
      : "KAFKA_PROTOCOL";
  return new MillraceError(errorCode, `The Kafka broker refused to ${doing}: ${name}${detail ? ` (${detail})` : ""}.`, {
    retryable: isRetriable(code),
    parameters: { kafkaError: name },
  });
}

/** No broker answers: retryable, and it names the address. */
export function unreachable(address: string, cause: unknown): MillraceError {
  return new MillraceError("KAFKA_UNREACHABLE", `No Kafka broker answers at ${address}: ${reasonOf(cause)}.`, {
    retryable: true,
    hint: "Check kafka.bootstrap.servers (or MILLRACE_KAFKA) and that the broker runs; `millrace dev` starts one.",
    parameters: { address },
    cause,
  });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = (cause as NodeJS.ErrnoException).code;
  switch (code) {
    case "ECONNREFUSED":
      return "the connection was refused";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is not known";
    case "ETIMEDOUT":
      return "the connection timed out";
    case "ECONNRESET":
    case "EPIPE":
      return "the connection was closed by the other side";
    default:
      return cause.message.replace(/\.$/, "");
  }
}
