import { type ChildProcess, execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../services/free-port.ts";
import { kafkaTools } from "../../services/kafka.ts";
import { KafkaClient, KafkaProducer, LATEST } from "../../src/kafka/client/index.ts";
import { given } from "../needs.ts";

// A real Apache Kafka with TLS, SASL PLAIN and SCRAM, and connections that must authenticate again every two seconds.
const exec = promisify(execFile);
const PASSWORD = 'p"w=d,1';
const REAUTHENTICATE_MS = 2_000;

let unavailable = "";
let folder: string;
let broker: ChildProcess | undefined;
let ports: { plain: number; ssl: number; sasl: number; both: number };
const open: KafkaClient[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-security-"));
  const tools = given(await kafkaTools());
  if (tools === undefined) {
    unavailable = "Apache Kafka is not available here";
    return;
  }
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    await exec("openssl", [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
    ]);
  } catch (error) {
    unavailable = `no certificate can be made: ${(error as Error).message}`;
    given({ unavailable });
    return;
  }
  await writeFile(join(folder, "keystore.pem"), (await readFile(key, "utf8")) + (await readFile(certificate, "utf8")));
  ports = { plain: await freePort(), ssl: await freePort(), sasl: await freePort(), both: await freePort() };
  const controller = await freePort();
  const quoted = PASSWORD.replaceAll('"', '\\\\"');
  const plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const listeners = [
    `PLAINTEXT://127.0.0.1:${ports.plain}`,
    `SSL://127.0.0.1:${ports.ssl}`,
    `SASL_PLAINTEXT://127.0.0.1:${ports.sasl}`,
    `SASL_SSL://127.0.0.1:${ports.both}`,
    `CONTROLLER://127.0.0.1:${controller}`,
  ].join(",");
  const config = join(folder, "server.properties");
  await writeFile(
    config,
    [
      "process.roles=broker,controller",
      "node.id=1",
      `controller.quorum.bootstrap.servers=127.0.0.1:${controller}`,
      `listeners=${listeners}`,
      `advertised.listeners=${listeners}`,
      "controller.listener.names=CONTROLLER",
      "inter.broker.listener.name=PLAINTEXT",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
      `log.dirs=${join(folder, "data")}`,
      "offsets.topic.replication.factor=1",
      "offsets.topic.num.partitions=1",
      "ssl.keystore.type=PEM",
      `ssl.keystore.location=${join(folder, "keystore.pem")}`,
      "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
      `connections.max.reauth.ms=${REAUTHENTICATE_MS}`,
      ...["sasl_plaintext", "sasl_ssl"].flatMap((name) => [
        `listener.name.${name}.plain.sasl.jaas.config=${plain} user_alice="${quoted}";`,
        `listener.name.${name}.scram-sha-256.sasl.jaas.config=${scram}`,
        `listener.name.${name}.scram-sha-512.sasl.jaas.config=${scram}`,
      ]),
    ].join("\n"),
  );
  const id = (await tools.run("kafka.tools.StorageTool", ["random-uuid"])).stdout.trim();
  const format = await tools.run("kafka.tools.StorageTool", [
    ...["format", "--standalone", "-t", id, "-c", config],
    ...["--add-scram", "SCRAM-SHA-256=[name=alice,password=secret256]"],
    ...["--add-scram", "SCRAM-SHA-512=[name=alice,password=secret512]"],
  ]);
  if (format.code !== 0) throw new Error(format.stdout + format.stderr);
  broker = tools.start("kafka.Kafka", [config]);
  await new Promise<void>((resolve, reject) => {
    let said = "";
    for (const stream of [broker!.stdout!, broker!.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-20_000);
        if (said.includes("Kafka Server started")) resolve();
      });
    }
    broker!.once("exit", () => reject(new Error(said)));
  });
  const probe = KafkaClient.connect({ "bootstrap.servers": `127.0.0.1:${ports.plain}` });
  await probe.createTopics([{ name: "t", partitions: 1 }]);
  probe.close();
}, 120_000);

afterAll(async () => {
  for (const client of open) client.close();
  if (broker !== undefined && broker.exitCode === null) {
    const ended = new Promise((resolve) => broker!.once("exit", resolve));
    broker.kill("SIGKILL");
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
});

function connect(port: keyof typeof ports, settings: Record<string, string>): KafkaClient {
  const client = KafkaClient.connect({
    "bootstrap.servers": `127.0.0.1:${ports[port]}`,
    "retry.backoff.ms": "10",
    ...settings,
  });
  open.push(client);
  return client;
}

const on = (name: string, run: () => Promise<void>): void => {
  test(name, async (context) => {
    if (unavailable !== "") return context.skip(unavailable);
    await run();
  });
};

async function roundTrip(client: KafkaClient): Promise<void> {
  const [before] = await client.listOffsets([{ topic: "t", partition: 0 }], LATEST);
  const producer = new KafkaProducer(client);
  await producer.send("t", [{ value: randomUUID() }]);
  await producer.close();
  const [after] = await client.listOffsets([{ topic: "t", partition: 0 }], LATEST);
  expect(after!.offset).toBe(before!.offset + 1);
}

describe("security", () => {
  const trusted = (): Record<string, string> => ({
    "ssl.truststore.certificates": readFileSync(join(folder, "cert.pem"), "utf8"),
  });

  on("TLS with a trusted certificate, given as text or as a file", async () => {
    await roundTrip(connect("ssl", { "security.protocol": "SSL", ...trusted() }));
    await roundTrip(
      connect("ssl", { "security.protocol": "SSL", "ssl.truststore.location": join(folder, "cert.pem") }),
    );
  });

  on("a certificate that is not trusted is refused", async () => {
    await expect(connect("ssl", { "security.protocol": "SSL" }).metadata([])).rejects.toMatchObject({
      code: "KAFKA_AUTHENTICATION",
      message: expect.stringContaining("SELF_SIGNED"),
    });
  });

  on("no TLS at a TLS port, and TLS at a port without, are told apart from silence", async () => {
    const wrong = connect("ssl", { "request.timeout.ms": "2000" });
    await expect(wrong.metadata([])).rejects.toMatchObject({
      code: expect.stringMatching(/KAFKA_(PROTOCOL|UNREACHABLE)/),
    });
    const other = connect("plain", {
      "security.protocol": "SSL",
      ...trusted(),
      "socket.connection.setup.timeout.ms": "2000",
    });
    await expect(other.metadata([])).rejects.toMatchObject({
      code: expect.stringMatching(/KAFKA_(AUTHENTICATION|UNREACHABLE)/),
    });
  });

  on("SASL PLAIN, with a password full of special characters", async () => {
    await roundTrip(
      connect("sasl", { "security.protocol": "SASL_PLAINTEXT", "sasl.username": "alice", "sasl.password": PASSWORD }),
    );
  });

  on("SASL SCRAM over TLS, user and password from JAAS", async () => {
    for (const bits of ["256", "512"]) {
      await roundTrip(
        connect("both", {
          "security.protocol": "SASL_SSL",
          "sasl.mechanism": `SCRAM-SHA-${bits}`,
          "sasl.jaas.config": `org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="secret${bits}";`,
          ...trusted(),
        }),
      );
    }
  });

  on("a wrong password is refused, and not shown", async () => {
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
      const client = connect("sasl", {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": "alice",
        "sasl.password": "hunter2",
      });
      const error = await client.metadata([]).then(
        () => undefined,
        (e: Error) => e,
      );
      expect(error).toMatchObject({
        code: "KAFKA_AUTHENTICATION",
        retryable: false,
        message: expect.stringContaining('refused user "alice"'),
      });
      expect(String(error!.stack)).not.toContain("hunter2");
    }
  });

  on("a connection whose session ends is replaced unnoticed", async () => {
    const client = connect("sasl", {
      "security.protocol": "SASL_PLAINTEXT",
      "sasl.username": "alice",
      "sasl.password": PASSWORD,
    });
    const until = Date.now() + 3 * REAUTHENTICATE_MS;
    let rounds = 0;
    while (Date.now() < until) {
      await roundTrip(client);
      rounds++;
    }
    expect(rounds).toBeGreaterThan(10);
  });
});
