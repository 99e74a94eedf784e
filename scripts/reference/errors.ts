import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MillraceError, type MillraceErrorCode, SPARK_ERROR_CLASSES } from "../../src/errors.ts";
import { cell, GENERATED, table } from "./markdown.ts";

/** What each code of our own says, and the reader's next move. A code without an entry does not compile. */
const CODES: Readonly<Record<MillraceErrorCode, readonly [meaning: string, next: string]>> = {
  INVALID_OPTION: [
    "An option or setting has a value that it cannot have, or two contradict each other.",
    "The message names it and what it may be.",
  ],
  MISSING_OPTION: [
    "An option is needed and nothing gives it.",
    "Set it, or the environment variable that the message names.",
  ],
  UNKNOWN_OPTION: ["There is no such option.", "The message names the nearest one."],
  INVALID_ARGUMENT: ["A function of the API got something that it does not take.", "The message says what it takes."],
  INVALID_SCHEMA: [
    "A schema cannot be what it is said to be, or the format takes none.",
    "Mend the schema at the place that is named.",
  ],
  INVALID_VALUE: ["A value of the program does not fit its column's type.", "The message names row, column and value."],
  USER_FUNCTION_FAILED: [
    "A TypeScript function of the pipeline threw.",
    "The message has its own error with file and line.",
  ],
  CHECKPOINT_DIVERGED: [
    "Checkpoint and sink, or the files of a checkpoint, contradict each other: one was restored from an older copy or changed by hand.",
    "Bring back the newer one, or begin with a new checkpoint.",
  ],
  CHECKPOINT_CORRUPT: [
    "A file of the checkpoint is damaged.",
    "The message names the file. Restore it from a copy, or begin with a new checkpoint.",
  ],
  CHECKPOINT_INCOMPATIBLE: [
    "The checkpoint belongs to another kind of query: other sources, a later version, or state that Spark wrote.",
    "Begin with a new checkpoint; see [Change a running pipeline](how-to/change-a-running-pipeline.md).",
  ],
  CHECKPOINT_IN_USE: [
    "Another query uses the checkpoint.",
    "Stop that one, which is named, or take another checkpoint.",
  ],
  DIRECTORY_IN_USE: [
    "Another process uses the directory of the embedded servers.",
    "Stop that process, which is named, or take another directory (`--dir`).",
  ],
  DIRECTORY_NOT_WRITABLE: ["Nothing can be written to a directory.", "Mend its permissions, or take another one."],
  DISK_FULL: ["The disk has no room left.", "Make room; the query goes on by itself or from its checkpoint."],
  SINK_FAILED: ["A sink could not write and has no code of its own for the reason.", "The cause is in the message."],
  SOURCE_FAILED: ["A source could not read and has no code of its own for the reason.", "The cause is in the message."],
  SINK_SCHEMA_MISMATCH: [
    "The rows do not fit the table that is there.",
    "The message names every column that differs. Cast or rename in the query, or change the table.",
  ],
  DELTA_CONFLICT: [
    "Another writer changed the table at the same time in a way that cannot be put beside this one.",
    "Write again.",
  ],
  DELTA_UNSUPPORTED: ["The table uses a feature of Delta Lake that is not there.", "The message names the feature."],
  DELTA_CORRUPT: ["The table's log is damaged.", "The message names the file."],
  KAFKA_UNREACHABLE: [
    "No broker answers at the address.",
    "Check address and network. A running query tries again by itself.",
  ],
  KAFKA_UNKNOWN_TOPIC: [
    "There is no such topic.",
    "The message names topics that are there; `millrace topics create` makes one.",
  ],
  KAFKA_PROTOCOL: [
    "A broker answered with something unexpected.",
    "Is what listens there Kafka? Its version is in the message.",
  ],
  KAFKA_AUTHENTICATION: [
    "The broker refuses the user, or its rights do not suffice.",
    "Check `kafka.sasl.*`, `kafka.ssl.*` and the broker's ACLs.",
  ],
  KAFKA_CORRUPT_BATCH: [
    "Records on the broker do not fit their checksum or cannot be decoded.",
    "The message names partition and offset. The damage is at the broker.",
  ],
  KAFKA_LOG_CORRUPT: ["A log of the embedded broker is damaged in its middle.", "The message names file and position."],
  POSTGRES_UNREACHABLE: [
    "PostgreSQL does not answer, or cannot take the work now (shutting down, full, deadlock).",
    "A running query tries again by itself.",
  ],
  POSTGRES_FAILED: [
    "PostgreSQL refuses a statement: a constraint, a right, a table that is not there, a password.",
    "Its own message and the table are named.",
  ],
  REDIS_UNREACHABLE: ["The cache does not answer.", "A running query tries again by itself."],
  REDIS_FAILED: ["The cache refuses a command, or a row has no key.", "Its own message is named."],
  SPARK_ERROR: ["An error of Spark's that has no code here.", "`parameters.errorClass` is Spark's class."],
  SPARK_UNREACHABLE: [
    "No Spark Connect server answers, something else does, or TLS is on at one end only.",
    "The message says which.",
  ],
  SPARK_AUTHENTICATION: [
    "The server asks for a token, or refuses this one.",
    "Set the token in the address or `SPARK_CONNECT_AUTHENTICATE_TOKEN`.",
  ],
  SPARK_SESSION_LOST: [
    "The server was started again or has forgotten the session.",
    "The next action has a new session; see [On Apache Spark](spark.md#when-something-is-wrong).",
  ],
  SPARK_UNSUPPORTED_SERVER: ["The server is older than Spark 4.0 or does not know a call.", "Use a newer server."],
  FUNCTION_NOT_PORTABLE: [
    "A TypeScript function uses something that cannot travel to a cluster.",
    "The message names function and variable. Make such things inside the function or in a module that it imports.",
  ],
  BRIDGE_UNREACHABLE: [
    "Spark's workers cannot reach this process.",
    "Set `spark.millrace.bridge.host` and open the port.",
  ],
  PORT_IN_USE: [
    "Something else listens at the port.",
    "The message names it where it can be known. Take another port; 0 takes any free one.",
  ],
  DEPENDENCY_MISSING: [
    "A package or program that is loaded on first use is not there.",
    "The message says what to install.",
  ],
  ENGINE_FAILED: [
    "The engine could not do what it should.",
    "The cause is in the message. If it is not the disk or the memory, please report it.",
  ],
  STOPPED: ["Something was used after it was stopped.", "Make another session or client."],
  INTERNAL: ["A fault of Millrace.", "Please report it with the stack (`--verbose`)."],
};

/** What warnings (event `warning`) say; a test checks that the list is whole. */
export const WARNINGS: Readonly<Record<string, string>> = {
  BRIDGE_REFUSED: "Something without the token of the running query knocked at the port of the bridge.",
  CACHE_LOG_TRUNCATED: "The end of the embedded cache's file was half written; it was cut off.",
  KAFKA_BAD_REQUEST: "A client sent the embedded broker something that it cannot read; the connection was closed.",
  KAFKA_GROUP_ID_UNUSED: "`kafka.group.id` has no effect embedded: no consumer group is used.",
  KAFKA_LOG_TRUNCATED: "The end of a log of the embedded broker was half written; it was cut off.",
  KAFKA_OPTION_UNUSED: "An option has no effect in this kind of query.",
  KAFKA_SETTING_WITHOUT_EFFECT: "A setting of Kafka's client has no effect here; the nearest one that has is named.",
  OTLP_FAILED: "Telemetry could not be sent. Nothing waits for it.",
  OTLP_RECOVERED: "Telemetry is sent again.",
  PORT_TAKEN: "The usual port of an embedded server is taken; the next free one is used.",
  SPARK_SESSION_LOST: "Spark has forgotten the session; a new one was made.",
  VIEW_CUT: "A live view has more rows than it may hold; the message says which are shown.",
  VIEW_KEY_NOT_SHOWN: "The key of a live view is none of its columns.",
};

/** The codes of the warnings in the sources. */
export function warningCodes(): string[] {
  const src = fileURLToPath(new URL("../../src", import.meta.url));
  const codes = new Set<string>();
  for (const name of readdirSync(src, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
    const text = readFileSync(join(src, name), "utf8");
    for (const [call] of text.matchAll(/publish\("warning",\s*\{[^}]*?(?:message|\})/g)) {
      const given = /code:\s*([^,]*)/.exec(call)?.[1] ?? "";
      for (const [, code] of given.matchAll(/"([A-Z][A-Z_]+)"/g)) codes.add(code!);
    }
  }
  return [...codes].filter((code) => !(code in CODES) || code in WARNINGS).sort();
}

/** docs/errors.md. */
export function errorsPage(): string {
  const retried = new Set(["KAFKA_UNREACHABLE", "POSTGRES_UNREACHABLE", "REDIS_UNREACHABLE", "SPARK_UNREACHABLE"]);
  const own = Object.entries(CODES).map(([code, [meaning, next]]) => [
    `\`${code}\``,
    cell(meaning),
    cell(next).replaceAll("&lt;", "<"),
    code.endsWith("_UNREACHABLE") ? "3" : "1",
  ]);
  const byState = Map.groupBy([...SPARK_ERROR_CLASSES].sort(), (code) => new MillraceError(code, "").sqlState ?? "");
  const spark = [...byState]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([state, codes]) => [state === "" ? "" : `\`${state}\``, codes.map((code) => `\`${code}\``).join(" ")]);
  return `# Error codes

${GENERATED}

Every error is a \`MillraceError\`: \`code\` is one of these, \`hint\` says what to do, \`parameters\` has the names of the message, \`retryable\` says whether the same may work later, \`cause\` is what lies behind it. On the
command line the code stands below the message, with \`--json\` in it.

A streaming query that fails ends with \`STREAM_FAILED\`; the error itself is its \`cause\`. Errors that are \`retryable\` (${[...retried].map((code) => `\`${code}\``).join(", ")} among them) start the query again from its checkpoint instead.

## Millrace's own

${table(["code", "what happened", "what to do", "exit code"], own)}

## Spark's error classes

Where Spark has a class for a fault, its name is the code, so what is written about it anywhere holds here too. They end a command with exit code 1.

${table(["SQLSTATE", "classes"], spark)}

## Warnings

They are printed, logged, and published as the event \`warning\`; nothing stops.

${table(
  ["code", "what happened"],
  Object.entries(WARNINGS).map(([code, meaning]) => [`\`${code}\``, cell(meaning)]),
)}
`;
}
