import { MillraceError } from "../../errors.ts";
import { api } from "../wire/api.ts";
import { array, bytes, int16, int64, nullableString, since, string, struct } from "../wire/codec.ts";
import type { Connection } from "./connection.ts";
import { ClientErrorCode } from "./errors.ts";
import type { SaslOptions } from "./options.ts";

/** SaslHandshake, key 17. Version 1: the tokens travel in SaslAuthenticate requests. */
const saslHandshake = api({
  key: 17,
  name: "SaslHandshake",
  versions: "1-1",
  flexible: Number.POSITIVE_INFINITY,
  request: struct({ mechanism: string }),
  response: struct({ errorCode: int16, mechanisms: array(string) }),
});

/** SaslAuthenticate, key 36. */
const saslAuthenticate = api({
  key: 36,
  name: "SaslAuthenticate",
  versions: "0-2",
  flexible: 2,
  request: struct({ authBytes: bytes }),
  response: struct({
    errorCode: int16,
    errorMessage: nullableString,
    authBytes: bytes,
    sessionLifetimeMs: since("1+", int64, 0),
  }),
});

/**
 * Proves who we are on a fresh connection. Gives the time in milliseconds after which the broker wants it again (0: never).
 * Throws KAFKA_AUTHENTICATION; neither password nor proof appears in the message.
 */
export async function authenticate(connection: Connection, sasl: SaslOptions): Promise<number> {
  const handshake = await connection.request(saslHandshake, { mechanism: sasl.mechanism });
  if (handshake.errorCode !== 0) {
    throw refused(
      connection,
      `the broker does not offer ${sasl.mechanism}`,
      `It offers: ${handshake.mechanisms.join(", ") || "nothing"}.`,
    );
  }
  let lifetimeMs = 0;
  const send = async (authBytes: Buffer): Promise<Buffer> => {
    const answer = await connection.request(saslAuthenticate, { authBytes });
    if (answer.errorCode !== 0) {
      throw refused(
        connection,
        answer.errorCode === ClientErrorCode.SASL_AUTHENTICATION_FAILED
          ? `the broker refused user "${sasl.username}"`
          : `error ${answer.errorCode}`,
        'Check "kafka.sasl.username" and "kafka.sasl.password" (or "kafka.sasl.jaas.config").',
      );
    }
    lifetimeMs = answer.sessionLifetimeMs;
    return answer.authBytes;
  };
  if (sasl.mechanism === "PLAIN") {
    await send(Buffer.from(`\0${sasl.username}\0${sasl.password}`));
    return lifetimeMs;
  }
  // Loaded only when needed: the library takes most of a second to load.
  const { saslScramSha } = await import("@platformatic/kafka");
  let failure: unknown;
  try {
    await saslScramSha.authenticate(
      ((_connection: unknown, authBytes: Buffer, callback: (error: Error | null, answer?: unknown) => void) => {
        send(authBytes).then(
          (answer) => callback(null, { authBytes: answer }),
          (error: Error) => {
            failure = error;
            callback(error);
          },
        );
      }) as never,
      connection as never,
      sasl.mechanism === "SCRAM-SHA-256" ? "SHA-256" : "SHA-512",
      sasl.username,
      sasl.password,
    );
  } catch (error) {
    if (failure instanceof MillraceError) throw failure;
    throw refused(connection, error instanceof Error ? error.message.replace(/\.$/, "") : "the exchange failed");
  }
  return lifetimeMs;
}

function refused(connection: Connection, reason: string, hint?: string): MillraceError {
  return new MillraceError("KAFKA_AUTHENTICATION", `Authentication at ${connection.address} failed: ${reason}.`, {
    hint,
    parameters: { address: connection.address },
  });
}
