import { readFileSync } from "node:fs";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { MillraceError, nearest } from "../../errors.ts";
import { publish } from "../../events.ts";
import { type CodecId, codecByName } from "../wire/compression.ts";
import type { IsolationLevel } from "./types.ts";

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface SaslOptions {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: string;
  readonly password: string;
}

/** A client's settings after parsing. Times are milliseconds, sizes bytes. */
export interface KafkaClientOptions {
  readonly bootstrapServers: readonly HostAndPort[];
  readonly clientId: string;
  readonly tls: TlsOptions | undefined;
  readonly sasl: SaslOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How long a call is repeated while no broker answers. */
  readonly apiTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly isolation: IsolationLevel;
  readonly groupId: string | undefined;
  readonly allowAutoCreateTopics: boolean;
  readonly fetchMaxBytes: number;
  readonly maxPartitionFetchBytes: number;
  readonly checkCrcs: boolean;
  readonly producer: ProducerOptions;
}

export interface ProducerOptions {
  /** -1 (all), 0 or 1. Idempotence needs -1. */
  readonly acks: -1 | 0 | 1;
  readonly idempotent: boolean;
  readonly codec: CodecId;
  /** Bytes of records put into one batch. */
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly maxRequestBytes: number;
  /** 1 to 5 requests per broker without an answer yet. */
  readonly maxInFlight: number;
  readonly deliveryTimeoutMs: number;
}

const INT = { type: "int" } as const;
const TEXT = { type: "text" } as const;
const BOOL = { type: "boolean" } as const;

/** Kafka's own setting names (without Spark's `kafka.`) that have an effect here. */
const SETTINGS: Readonly<Record<string, { readonly type: "int" | "text" | "boolean" }>> = {
  "bootstrap.servers": TEXT,
  "client.id": TEXT,
  "group.id": TEXT,
  "security.protocol": TEXT,
  "ssl.ca.location": TEXT,
  "ssl.certificate.location": TEXT,
  "ssl.key.location": TEXT,
  "ssl.truststore.location": TEXT,
  "ssl.truststore.type": TEXT,
  "ssl.truststore.password": TEXT,
  "ssl.truststore.certificates": TEXT,
  "ssl.keystore.location": TEXT,
  "ssl.keystore.type": TEXT,
  "ssl.keystore.password": TEXT,
  "ssl.keystore.certificate.chain": TEXT,
  "ssl.keystore.key": TEXT,
  "ssl.key.password": TEXT,
  "ssl.endpoint.identification.algorithm": TEXT,
  "sasl.mechanism": TEXT,
  "sasl.jaas.config": TEXT,
  "sasl.username": TEXT,
  "sasl.password": TEXT,
  "request.timeout.ms": INT,
  "default.api.timeout.ms": INT,
  "socket.connection.setup.timeout.ms": INT,
  "retry.backoff.ms": INT,
  "isolation.level": TEXT,
  "fetch.max.bytes": INT,
  "max.partition.fetch.bytes": INT,
  "check.crcs": BOOL,
  "allow.auto.create.topics": BOOL,
  acks: TEXT,
  "enable.idempotence": BOOL,
  "compression.type": TEXT,
  "batch.size": INT,
  "linger.ms": INT,
  "max.request.size": INT,
  "max.in.flight.requests.per.connection": INT,
  "delivery.timeout.ms": INT,
};

/**
 * Reads Kafka's settings (`bootstrap.servers`, `security.protocol`, `sasl.jaas.config`, ...) as a Java client would be given them.
 * Settings of the Java client without a meaning here are accepted with a warning. Throws MISSING_OPTION and INVALID_OPTION; values of
 * secret settings never appear in messages.
 *
 * ```ts
 * parseKafkaOptions({ "bootstrap.servers": "localhost:9092", "compression.type": "zstd" });
 * ```
 */
export function parseKafkaOptions(settings: Readonly<Record<string, string>>): KafkaClientOptions {
  for (const name of Object.keys(settings)) {
    if (Object.hasOwn(SETTINGS, name)) continue;
    const near = nearest(name, Object.keys(SETTINGS));
    publish("warning", {
      code: "KAFKA_SETTING_WITHOUT_EFFECT",
      message: `The Kafka setting "${name}" has no effect${near === undefined ? "" : `; did you mean "${near}"?`}`,
    });
  }
  const servers = settings["bootstrap.servers"];
  if (servers === undefined || servers.trim() === "") {
    throw new MillraceError("MISSING_OPTION", 'The option "kafka.bootstrap.servers" is missing.', {
      hint: "Give the address of a broker, such as localhost:9092, or set MILLRACE_KAFKA.",
    });
  }
  const protocol = (settings["security.protocol"] ?? "PLAINTEXT").toUpperCase();
  if (!["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].includes(protocol)) {
    throw invalid("security.protocol", protocol, "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL");
  }
  const isolation = settings["isolation.level"] ?? "read_uncommitted";
  if (isolation !== "read_uncommitted" && isolation !== "read_committed") {
    throw invalid("isolation.level", isolation, "read_uncommitted or read_committed");
  }
  return {
    bootstrapServers: parseServers(servers),
    clientId: settings["client.id"] ?? "millrace",
    tls: protocol.endsWith("SSL") ? tlsOptions(settings) : undefined,
    sasl: protocol.startsWith("SASL") ? saslOptions(settings) : undefined,
    apiTimeoutMs: int(settings, "default.api.timeout.ms", 30_000, 0),
    connectTimeoutMs: int(settings, "socket.connection.setup.timeout.ms", 10_000, 1),
    requestTimeoutMs: int(settings, "request.timeout.ms", 30_000, 1),
    retryBackoffMs: int(settings, "retry.backoff.ms", 100, 0),
    isolation,
    groupId: settings["group.id"],
    allowAutoCreateTopics: bool(settings, "allow.auto.create.topics", true),
    fetchMaxBytes: int(settings, "fetch.max.bytes", 8 << 20, 1),
    maxPartitionFetchBytes: int(settings, "max.partition.fetch.bytes", 4 << 20, 1),
    checkCrcs: bool(settings, "check.crcs", true),
    producer: producerOptions(settings),
  };
}

/** `host:port` pairs, comma-separated; IPv6 addresses in brackets; the port may be left out (9092). */
export function parseServers(text: string): HostAndPort[] {
  const servers = text
    .split(",")
    .map((s) => s.trim())
    .filter((s) => s !== "")
    .map((server) => {
      const match = /^(?:[A-Za-z_]+:\/\/)?(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(server);
      const port = Number(match?.[3] ?? 9092);
      if (match === null || port < 1 || port > 65535) {
        throw invalid("bootstrap.servers", server, "a comma-separated list of host:port");
      }
      return { host: (match[1] ?? match[2])!, port };
    });
  if (servers.length === 0) throw invalid("bootstrap.servers", text, "a comma-separated list of host:port");
  return servers;
}

function producerOptions(settings: Readonly<Record<string, string>>): ProducerOptions {
  const acksText = settings.acks ?? "all";
  const acks = acksText === "all" || acksText === "-1" ? -1 : acksText === "0" ? 0 : acksText === "1" ? 1 : undefined;
  if (acks === undefined) throw invalid("acks", acksText, "all, 1 or 0");
  const idempotent = bool(settings, "enable.idempotence", acks === -1);
  if (idempotent && acks !== -1) {
    throw new MillraceError("INVALID_OPTION", 'An idempotent producer needs "kafka.acks" = "all".', {
      hint: 'Remove "kafka.acks", or set "kafka.enable.idempotence" to "false".',
    });
  }
  const codecText = settings["compression.type"] ?? "none";
  const codec = codecByName(codecText);
  if (codec === undefined) throw invalid("compression.type", codecText, "none, gzip, snappy, lz4 or zstd");
  const maxInFlight = int(settings, "max.in.flight.requests.per.connection", 5, 1);
  if (idempotent && maxInFlight > 5) {
    throw invalid("max.in.flight.requests.per.connection", String(maxInFlight), "1 to 5 for an idempotent producer");
  }
  return {
    acks,
    idempotent,
    codec,
    // A broker takes 1,048,588 bytes per batch by default (message.max.bytes); the rest of that is for record overhead.
    batchBytes: int(settings, "batch.size", 900_000, 1),
    lingerMs: int(settings, "linger.ms", 0, 0),
    maxRequestBytes: int(settings, "max.request.size", 8 << 20, 1),
    maxInFlight,
    deliveryTimeoutMs: int(settings, "delivery.timeout.ms", 120_000, 1),
  };
}

function tlsOptions(settings: Readonly<Record<string, string>>): TlsOptions {
  const tls: TlsOptions = {};
  const trustType = (settings["ssl.truststore.type"] ?? "PEM").toUpperCase();
  const trust = settings["ssl.truststore.certificates"];
  const trustFile = settings["ssl.ca.location"] ?? settings["ssl.truststore.location"];
  if (trust !== undefined) tls.ca = trust;
  else if (trustFile !== undefined) {
    if (trustType !== "PEM") {
      throw new MillraceError("INVALID_OPTION", `A truststore of type ${trustType} cannot be read.`, {
        hint: 'Export its certificates as PEM and set "kafka.ssl.truststore.type" to "PEM".',
      });
    }
    tls.ca = file("ssl.truststore.location", trustFile);
  }
  const keyType = (settings["ssl.keystore.type"] ?? "PEM").toUpperCase();
  const keyFile = settings["ssl.keystore.location"];
  const passphrase = settings["ssl.key.password"] ?? settings["ssl.keystore.password"];
  if (settings["ssl.keystore.certificate.chain"] !== undefined) {
    tls.cert = settings["ssl.keystore.certificate.chain"];
    if (settings["ssl.keystore.key"] !== undefined) tls.key = settings["ssl.keystore.key"];
  } else if (settings["ssl.certificate.location"] !== undefined) {
    tls.cert = file("ssl.certificate.location", settings["ssl.certificate.location"]);
    if (settings["ssl.key.location"] !== undefined) tls.key = file("ssl.key.location", settings["ssl.key.location"]);
  } else if (keyFile !== undefined) {
    if (keyType === "PEM") {
      // Kafka's PEM keystore holds the certificate chain and the key in one file.
      tls.cert = file("ssl.keystore.location", keyFile);
      tls.key = tls.cert;
    } else if (keyType === "PKCS12") tls.pfx = file("ssl.keystore.location", keyFile);
    else {
      throw new MillraceError("INVALID_OPTION", `A keystore of type ${keyType} cannot be read.`, {
        hint: 'Convert it to PKCS12 or PEM and set "kafka.ssl.keystore.type".',
      });
    }
  }
  if (passphrase !== undefined) tls.passphrase = passphrase;
  // As in Kafka, an empty value switches the check of the host name off; the certificate itself is still checked.
  if (settings["ssl.endpoint.identification.algorithm"] === "") tls.checkServerIdentity = () => undefined;
  return tls;
}

function file(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new MillraceError("INVALID_OPTION", `The file of "kafka.${setting}" cannot be read: ${path}.`, { cause });
  }
}

function saslOptions(settings: Readonly<Record<string, string>>): SaslOptions {
  const mechanism = (settings["sasl.mechanism"] ?? "PLAIN").toUpperCase();
  if (mechanism !== "PLAIN" && mechanism !== "SCRAM-SHA-256" && mechanism !== "SCRAM-SHA-512") {
    throw invalid("sasl.mechanism", mechanism, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
  }
  const jaas = settings["sasl.jaas.config"];
  const username = settings["sasl.username"] ?? jaasValue(jaas, "username");
  const password = settings["sasl.password"] ?? jaasValue(jaas, "password");
  if (username === undefined || password === undefined) {
    throw new MillraceError("MISSING_OPTION", "SASL needs a user name and a password.", {
      hint: 'Set "kafka.sasl.username" and "kafka.sasl.password", or both in "kafka.sasl.jaas.config".',
    });
  }
  return { mechanism, username, password };
}

function jaasValue(jaas: string | undefined, name: string): string | undefined {
  const match = new RegExp(`\\b${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|'([^']*)'|([^\\s;"']+))`).exec(jaas ?? "");
  return match === null ? undefined : (match[1]?.replace(/\\(.)/g, "$1") ?? match[2] ?? match[3]);
}

function int(settings: Readonly<Record<string, string>>, name: string, otherwise: number, least: number): number {
  const text = settings[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > 0x7fffffff || text.trim() === "") {
    throw invalid(name, text, `a whole number from ${least}`);
  }
  return value;
}

function bool(settings: Readonly<Record<string, string>>, name: string, otherwise: boolean): boolean {
  const text = settings[name]?.toLowerCase();
  if (text === undefined) return otherwise;
  if (text !== "true" && text !== "false") throw invalid(name, text, "true or false");
  return text === "true";
}

function invalid(name: string, given: string, wanted: string): MillraceError {
  return new MillraceError("INVALID_OPTION", `"kafka.${name}" is "${given}"; it must be ${wanted}.`);
}
