import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { subscribe } from "../../src/events.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";
import { encodeRequest } from "../../src/kafka/wire/api.ts";
import { Reader } from "../../src/kafka/wire/buffers.ts";
import { ErrorCode } from "../../src/kafka/wire/error-codes.ts";
import { apiVersions } from "../../src/kafka/wire/messages/api-versions.ts";
import { describeConfigs, incrementalAlterConfigs } from "../../src/kafka/wire/messages/configs.ts";
import { fetch, listOffsets } from "../../src/kafka/wire/messages/fetch.ts";
import { deleteGroups, describeGroups, listGroups } from "../../src/kafka/wire/messages/groups.ts";
import { findCoordinator, heartbeat, joinGroup, syncGroup } from "../../src/kafka/wire/messages/membership.ts";
import { metadata } from "../../src/kafka/wire/messages/metadata.ts";
import { offsetCommit, offsetDelete, offsetFetch } from "../../src/kafka/wire/messages/offsets.ts";
import { initProducerId, produce } from "../../src/kafka/wire/messages/produce.ts";
import { createPartitions, createTopics, deleteRecords, deleteTopics } from "../../src/kafka/wire/messages/topics.ts";
import { decodeBatch, type EncodeBatchOptions, encodeBatch } from "../../src/kafka/wire/record-batch.ts";
import { RawClient } from "./raw-client.ts";

const root = mkdtempSync(join(tmpdir(), "millrace-kafka-"));
let server: KafkaServer;
let client: RawClient;

beforeAll(async () => {
  server = await startKafkaServer({ directory: join(root, "main"), port: 0 });
});
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});
const clients: RawClient[] = [];
const open = async (port = server.port): Promise<RawClient> => {
  const c = await RawClient.connect(port);
  clients.push(c);
  return c;
};
afterEach(() => {
  for (const c of clients.splice(0)) c.close();
});

let topics = 0;
async function newTopic(configs: Record<string, string> = {}, numPartitions = 1): Promise<string> {
  client = await open();
  const name = `topic-${++topics}`;
  const { topics: made } = await client.send(createTopics, 7, {
    topics: [
      {
        name,
        numPartitions,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([k, value]) => ({ name: k, value })),
      },
    ],
  });
  expect(made[0]).toMatchObject({ errorCode: 0, errorMessage: null, numPartitions });
  return name;
}

async function send(name: string, options: EncodeBatchOptions | Buffer, version = 9, acks = -1, c = client) {
  const records = [Buffer.isBuffer(options) ? options : encodeBatch(options)];
  const { responses } = await c.send(produce, version, {
    acks,
    timeoutMs: 1000,
    topicData: [{ name, partitionData: [{ index: 0, records: records as any }] }],
  });
  return responses[0]!.partitionResponses[0]!;
}

function fetchOf(
  name: string,
  fetchOffset: number,
  more: { maxWaitMs?: number; minBytes?: number; maxBytes?: number; partitionMaxBytes?: number } = {},
) {
  const { partitionMaxBytes = 1 << 20, ...rest } = more;
  return {
    maxWaitMs: 0,
    minBytes: 1,
    ...rest,
    topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes }] }],
  };
}

async function read(name: string, fetchOffset: number, more = {}, c = client) {
  const { responses } = await c.send(fetch, 11, fetchOf(name, fetchOffset, more));
  const partition = responses[0]!.partitions[0]!;
  const values: string[] = [];
  for (let at = 0; partition.records !== null && at < partition.records.length; ) {
    const { header, records } = decodeBatch(partition.records, at);
    for (const r of records) values.push(`${r.offset}:${r.value}`);
    at += header.size;
  }
  return { ...partition, values };
}

describe("produce and fetch", () => {
  test("what is produced is fetched; codecs are kept", async () => {
    const name = await newTopic();
    for (const codec of [0, 1, 2, 3, 4] as const) {
      const answer = await send(name, { records: [{ value: `a${codec}` }, { value: `b${codec}` }], codec });
      expect(answer).toMatchObject({ errorCode: 0, baseOffset: codec * 2, logStartOffset: 0, logAppendTimeMs: -1 });
    }
    const { values, highWatermark, lastStableOffset, abortedTransactions } = await read(name, 0);
    expect(values).toHaveLength(10);
    expect(values[9]).toBe("9:b4");
    expect({ highWatermark, lastStableOffset, abortedTransactions }).toEqual({
      highWatermark: 10,
      lastStableOffset: 10,
      abortedTransactions: null,
    });
    expect((await read(name, 5)).values[0]).toBe("4:a2");
    expect(await read(name, 11)).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
    expect(await read("nowhere", 0)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  });

  test("every version of Fetch gives the same records, by name and by id", async () => {
    const name = await newTopic();
    await send(name, { records: [{ value: "v" }] });
    const { topics: described } = await client.send(metadata, 12, { topics: [{ name }] });
    for (let version = fetch.min; version <= fetch.max; version++) {
      const request = fetchOf(name, 0);
      request.topics[0]!.topic = version >= 13 ? "" : name;
      const withId = { ...request, topics: [{ ...request.topics[0]!, topicId: described[0]!.topicId }] };
      const { responses } = await client.send(fetch, version, withId);
      expect(decodeBatch(responses[0]!.partitions[0]!.records!).records[0]!.value!.toString(), `v${version}`).toBe("v");
    }
    const { responses } = await client.send(fetch, 13, {
      ...fetchOf("", 0),
      topics: [
        { topicId: "MTIzNDU2Nzg5MDEyMzQ1Ng", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] },
      ],
    });
    expect(responses[0]!.partitions[0]).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_ID });
  });

  test("a waiting fetch is answered as soon as something comes, and after its time when nothing does", async () => {
    const name = await newTopic();
    const consumer = await open();
    const waiting = read(name, 0, { maxWaitMs: 20_000 }, consumer);
    // The broker has the fetch before the record: it answers a connection's requests in order, so the fetch is parked by now or finds it.
    await client.send(metadata, 1, { topics: [] });
    await send(name, { records: [{ value: "x" }] });
    expect((await waiting).values).toEqual(["0:x"]);
    expect((await read(name, 1, { maxWaitMs: 50 })).values).toEqual([]);
  });

  test("a waiting fetch waits for as many bytes as it asks for", async () => {
    const name = await newTopic();
    const consumer = await open();
    const waiting = read(name, 0, { maxWaitMs: 20_000, minBytes: 400 }, consumer);
    let sent = 0;
    let done = false;
    void waiting.then(() => {
      done = true;
    });
    while (!done) {
      await send(name, { records: [{ value: "x".repeat(50) }] });
      sent++;
    }
    expect(sent).toBeGreaterThanOrEqual(4);
    expect((await waiting).values.length).toBeGreaterThanOrEqual(4);
  });

  test("limits: the first batch comes whole, the rest as far as it fits", async () => {
    const name = await newTopic();
    for (let i = 0; i < 3; i++) await send(name, { records: [{ value: `${i}`.repeat(500) }] });
    expect((await read(name, 0, { partitionMaxBytes: 1 })).values).toHaveLength(1);
    expect((await read(name, 0, { maxBytes: 700 })).values).toHaveLength(1);
    expect((await read(name, 0, { maxBytes: 1300 })).values).toHaveLength(2);
  });

  test("acks=0 has no answer, and the next request's answer follows", async () => {
    const name = await newTopic();
    const frame = encodeRequest(produce, 9, 77, "raw", {
      acks: 0,
      timeoutMs: 1000,
      topicData: [{ name, partitionData: [{ index: 0, records: [encodeBatch({ records: [{ value: "quiet" }] })] }] }],
    });
    client.socket.write(frame);
    expect((await read(name, 0)).values).toEqual(["0:quiet"]);
  });

  test("requests sent one after the other without waiting are answered in order", async () => {
    const name = await newTopic();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => send(name, { records: [{ value: `${i}` }] })),
    );
    expect(answers.map((a) => a.baseOffset)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test("large batches go both ways whole", async () => {
    const name = await newTopic({ "max.message.bytes": "30000000" });
    const value = Buffer.alloc(20_000_000, "abcdefg");
    expect(await send(name, { records: [{ value }] })).toMatchObject({ errorCode: 0 });
    const { responses } = await client.send(fetch, 11, fetchOf(name, 0, { partitionMaxBytes: 1000 }));
    expect(decodeBatch(responses[0]!.partitions[0]!.records!).records[0]!.value!.equals(value)).toBe(true);
  });

  test("batches that must not be stored are refused with Kafka's errors", async () => {
    const name = await newTopic();
    const good = encodeBatch({ records: [{ value: "v" }] });
    const damaged = Buffer.from(good);
    damaged[damaged.length - 1]! ^= 1;
    const resized = (attributes: Partial<EncodeBatchOptions>): Buffer =>
      encodeBatch({ records: [{ value: "v" }], ...attributes });
    const cases: [Buffer, ErrorCode][] = [
      [damaged, ErrorCode.CORRUPT_MESSAGE],
      [good.subarray(0, good.length - 1), ErrorCode.CORRUPT_MESSAGE],
      [good.subarray(0, 20), ErrorCode.CORRUPT_MESSAGE],
      [Buffer.concat([good, good]), ErrorCode.INVALID_RECORD],
      [Buffer.alloc(0), ErrorCode.INVALID_RECORD],
      [resized({ control: true }), ErrorCode.INVALID_RECORD],
      [resized({ transactional: true, producerId: 1, producerEpoch: 0, baseSequence: 0 }), ErrorCode.INVALID_TXN_STATE],
      [resized({ producerId: 1, producerEpoch: 0, baseSequence: -1 }), ErrorCode.INVALID_RECORD],
      [encodeBatch({ records: [{ value: Buffer.alloc(1_100_000) }] }), ErrorCode.MESSAGE_TOO_LARGE],
      [resized({ timestamp: Date.now() + 7_200_000 }), ErrorCode.INVALID_TIMESTAMP],
    ];
    for (const [bytes, errorCode] of cases)
      expect(await send(name, bytes)).toMatchObject({ errorCode, baseOffset: -1 });
    expect(await send(name, resized({ codec: 4 }), 6)).toMatchObject({
      errorCode: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    });
    expect(await send(name, good, 2)).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_VERSION });
    expect(await send(name, good, 9, 2)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUIRED_ACKS });
    expect(await send("nowhere", good)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
    expect((await read(name, 0)).values).toEqual([]);
  });

  test("idempotent producers: sent again is stored once, a gap is refused", async () => {
    const name = await newTopic();
    const { producerId, producerEpoch } = await client.send(initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 0,
    });
    const other = await client.send(initProducerId, 0, { transactionalId: null, transactionTimeoutMs: 0 });
    expect(other.producerId).not.toBe(producerId);
    const one = (baseSequence: number) => ({
      records: [{ value: `${baseSequence}` }],
      producerId,
      producerEpoch,
      baseSequence,
    });
    expect(await send(name, one(0))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await send(name, one(1))).toMatchObject({ errorCode: 0, baseOffset: 1 });
    expect(await send(name, one(0))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await send(name, one(3))).toMatchObject({ errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER });
    expect((await read(name, 0)).values).toEqual(["0:0", "1:1"]);
  });

  test("transactions are refused for good", async () => {
    client = await open();
    const refused = { errorCode: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED };
    expect(await client.send(initProducerId, 4, { transactionalId: "t", transactionTimeoutMs: 1000 })).toMatchObject(
      refused,
    );
    const { coordinators } = await client.send(findCoordinator, 4, { keyType: 1, coordinatorKeys: ["t"] });
    expect(coordinators[0]).toMatchObject(refused);
  });

  test("append time: the broker's clock replaces the records' times", async () => {
    const name = await newTopic({ "message.timestamp.type": "LogAppendTime" });
    const before = Date.now();
    const { logAppendTimeMs } = await send(name, { records: [{ value: "v", timestamp: 5 }] });
    expect(logAppendTimeMs).toBeGreaterThanOrEqual(before);
    const { records } = await read(name, 0);
    expect(decodeBatch(records!).records[0]!.timestamp).toBe(logAppendTimeMs);
  });

  test("compacted topics take no record without a key, and say which had none", async () => {
    const name = await newTopic({ "cleanup.policy": "compact" });
    const answer = await send(name, { records: [{ key: "k", value: "v" }, { value: "v" }] });
    expect(answer).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD, recordErrors: [{ batchIndex: 1 }] });
    expect(await send(name, { records: [{ key: "k", value: null }] })).toMatchObject({ errorCode: 0 });
  });
});

describe("offsets by time", () => {
  test("start, end, a time inside a batch, the latest time, none", async () => {
    const name = await newTopic();
    await send(name, { records: [100, 300, 200].map((timestamp) => ({ value: "v", timestamp })), codec: 1 });
    await send(name, { records: [250, 400].map((timestamp) => ({ value: "v", timestamp })) });
    const at = async (timestamp: number) => {
      const { topics: found } = await client.send(listOffsets, 8, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name, partitions: [{ partitionIndex: 0, timestamp }] }],
      });
      const { errorCode, offset, timestamp: time } = found[0]!.partitions[0]!;
      return [errorCode, offset, time];
    };
    expect(await at(-2)).toEqual([0, 0, -1]);
    expect(await at(-1)).toEqual([0, 5, -1]);
    expect(await at(-3)).toEqual([0, 4, 400]);
    expect(await at(0)).toEqual([0, 0, 100]);
    expect(await at(101)).toEqual([0, 1, 300]);
    expect(await at(301)).toEqual([0, 4, 400]);
    expect(await at(401)).toEqual([0, -1, -1]);
    await client.send(deleteRecords, 2, {
      topics: [{ name, partitions: [{ partitionIndex: 0, offset: 2 }] }],
      timeoutMs: 1000,
    });
    expect(await at(0)).toEqual([0, 2, 200]);
    expect(await at(290)).toEqual([0, 4, 400]);
    expect(await read(name, 1)).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
  });
});

describe("topics", () => {
  test("made when asked for, with 4 partitions; not when that is forbidden or the name is no name", async () => {
    client = await open();
    const ask = async (name: string, allowAutoTopicCreation = true) =>
      (await client.send(metadata, 9, { topics: [{ name }], allowAutoTopicCreation })).topics[0]!;
    expect(await ask("by-asking", false)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
    expect((await ask("by-asking")).partitions).toHaveLength(4);
    expect(await ask("no/name")).toMatchObject({ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION });
    const everything = await client.send(metadata, 1, { topics: null });
    expect(everything.topics.map((t) => t.name)).toContain("by-asking");
    expect((await client.send(metadata, 1, { topics: [] })).topics).toEqual([]);
    expect((await client.send(metadata, 0, { topics: [] })).topics.length).toBeGreaterThan(0);
    expect(everything.brokers).toMatchObject([
      { nodeId: everything.controllerId, host: "127.0.0.1", port: server.port },
    ]);
  });

  test("created as asked, refused with Kafka's errors, deleted for good", async () => {
    client = await open();
    const create = async (topic: object) => {
      const wanted = { name: "made", numPartitions: 2, replicationFactor: 1, assignments: [], configs: [], ...topic };
      return (await client.send(createTopics, 7, { topics: [wanted] })).topics[0]!;
    };
    expect(await create({ replicationFactor: 3 })).toMatchObject({ errorCode: ErrorCode.INVALID_REPLICATION_FACTOR });
    expect(await create({ numPartitions: 0 })).toMatchObject({ errorCode: ErrorCode.INVALID_PARTITIONS });
    expect(await create({ name: "a b" })).toMatchObject({ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION });
    expect(await create({ configs: [{ name: "segment.bites", value: "1" }] })).toMatchObject({
      errorCode: ErrorCode.INVALID_CONFIG,
      errorMessage: "Unknown topic config name: segment.bites; did you mean segment.bytes?",
    });
    expect(await create({ configs: [{ name: "segment.bytes", value: "many" }] })).toMatchObject({
      errorCode: ErrorCode.INVALID_CONFIG,
    });
    const made = await create({});
    expect(made).toMatchObject({ errorCode: 0 });
    expect(await create({})).toMatchObject({ errorCode: ErrorCode.TOPIC_ALREADY_EXISTS });
    await send("made", { records: [{ value: "old" }] });
    const grown = await client.send(createPartitions, 3, {
      topics: [{ name: "made", count: 3, assignments: null }],
      timeoutMs: 1,
      validateOnly: false,
    });
    expect(grown.results[0]).toMatchObject({ errorCode: 0 });
    expect((await client.send(metadata, 12, { topics: [{ name: "made" }] })).topics[0]).toMatchObject({
      topicId: made.topicId,
    });
    const removed = await client.send(deleteTopics, 6, { topics: [{ name: "made" }], timeoutMs: 1 });
    expect(removed.responses[0]).toMatchObject({ errorCode: 0, topicId: made.topicId });
    expect((await create({})).topicId).not.toBe(made.topicId);
    expect((await read("made", 0)).highWatermark).toBe(0);
  });

  test("a fetch that waits on a topic that goes is told", async () => {
    const name = await newTopic();
    const consumer = await open();
    const waiting = read(name, 0, { maxWaitMs: 20_000 }, consumer);
    await client.send(deleteTopics, 1, { topicNames: [name], timeoutMs: 1 });
    expect(await waiting).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  });

  test("settings are described with their defaults and changed one by one", async () => {
    const name = await newTopic({ "retention.ms": "1000" });
    const describe = async () => {
      const { results } = await client.send(describeConfigs, 4, {
        resources: [{ resourceType: 2, resourceName: name, configurationKeys: null }],
      });
      return new Map(results[0]!.configs.map((c) => [c.name, `${c.value}@${c.configSource}`]));
    };
    const before = await describe();
    expect(before.size).toBeGreaterThan(25);
    expect(before.get("retention.ms")).toBe("1000@1");
    expect(before.get("cleanup.policy")).toBe("delete@5");
    const change = async (config: string, configOperation: number, value: string | null) => {
      const { responses } = await client.send(incrementalAlterConfigs, 1, {
        resources: [{ resourceType: 2, resourceName: name, configs: [{ name: config, configOperation, value }] }],
        validateOnly: false,
      });
      return responses[0]!.errorCode;
    };
    expect(await change("retention.ms", 1, null)).toBe(0);
    expect(await change("cleanup.policy", 2, "compact")).toBe(0);
    expect(await change("max.message.bytes", 0, "100")).toBe(0);
    expect(await change("max.message.bytes", 0, "lots")).toBe(ErrorCode.INVALID_CONFIG);
    const after = await describe();
    expect(after.get("retention.ms")).toBe("604800000@5");
    expect(after.get("cleanup.policy")).toBe("delete,compact@1");
    expect(await send(name, { records: [{ key: "k", value: "x".repeat(100) }] })).toMatchObject({
      errorCode: ErrorCode.MESSAGE_TOO_LARGE,
    });
  });
});

describe("groups", () => {
  test("join, sync, heartbeat; offsets with metadata and epoch; described, listed, deleted", async () => {
    const name = await newTopic({}, 2);
    const join = (memberId: string) =>
      client.send(joinGroup, 9, {
        groupId: "readers",
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        memberId,
        protocolType: "consumer",
        protocols: [{ name: "range", metadata: subscription(name) }],
      });
    const first = await join("");
    expect(first.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED);
    const { memberId, generationId, leader, errorCode } = await join(first.memberId);
    expect({ errorCode, leader, generationId }).toEqual({ errorCode: 0, leader: memberId, generationId: 1 });
    const assignment = Buffer.from("all of it");
    const synced = await client.send(syncGroup, 5, {
      groupId: "readers",
      generationId,
      memberId,
      protocolType: "consumer",
      protocolName: "range",
      assignments: [{ memberId, assignment }],
    });
    expect(synced).toMatchObject({ errorCode: 0, assignment });
    expect(await client.send(heartbeat, 4, { groupId: "readers", generationId, memberId })).toMatchObject({
      errorCode: 0,
    });

    const commit = (generation: number, committedMetadata = "note") =>
      client.send(offsetCommit, 8, {
        groupId: "readers",
        generationIdOrMemberEpoch: generation,
        memberId,
        topics: [
          {
            name,
            partitions: [{ partitionIndex: 1, committedOffset: 42, committedLeaderEpoch: 7, committedMetadata }],
          },
        ],
      });
    const codeOf = (answer: Awaited<ReturnType<typeof commit>>) => answer.topics[0]!.partitions[0]!.errorCode;
    expect(codeOf(await commit(generationId))).toBe(0);
    expect(codeOf(await commit(9))).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(codeOf(await commit(generationId, "x".repeat(4097)))).toBe(ErrorCode.OFFSET_METADATA_TOO_LARGE);
    const all = await client.send(offsetFetch, 8, { groups: [{ groupId: "readers", topics: null }] });
    expect(all.groups[0]!.topics).toEqual([
      {
        name,
        topicId: "AAAAAAAAAAAAAAAAAAAAAA",
        partitions: [
          { partitionIndex: 1, committedOffset: 42, committedLeaderEpoch: 7, metadata: "note", errorCode: 0 },
        ],
      },
    ]);
    const some = await client.send(offsetFetch, 5, {
      groupId: "readers",
      topics: [{ name, partitionIndexes: [0, 1] }],
    });
    expect(some.topics[0]!.partitions.map((p) => p.committedOffset)).toEqual([-1, 42]);

    const { groups } = await client.send(describeGroups, 5, { groups: ["readers", "nobody"] });
    expect(groups[0]).toMatchObject({
      groupState: "Stable",
      protocolData: "range",
      members: [{ memberId, clientId: "raw", memberAssignment: assignment }],
    });
    expect(groups[1]).toMatchObject({ errorCode: 0, groupState: "Dead" });
    expect((await client.send(listGroups, 4, { statesFilter: ["stable"] })).groups.map((g) => g.groupId)).toContain(
      "readers",
    );
    const forget = () =>
      client.send(offsetDelete, 0, { groupId: "readers", topics: [{ name, partitions: [{ partitionIndex: 1 }] }] });
    expect((await forget()).topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC);
    expect((await client.send(deleteGroups, 2, { groupsNames: ["readers"] })).results[0]!.errorCode).toBe(
      ErrorCode.NON_EMPTY_GROUP,
    );
  });

  test("offsets kept without membership, and what the broker refuses", async () => {
    const name = await newTopic();
    const commit = (topic: string) =>
      client.send(offsetCommit, 2, {
        groupId: "simple",
        memberId: "",
        topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }] }],
      });
    expect((await commit(name)).topics[0]!.partitions[0]!.errorCode).toBe(0);
    expect((await commit("nowhere")).topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(
      (await client.send(deleteGroups, 0, { groupsNames: ["simple", "none"] })).results.map((r) => r.errorCode),
    ).toEqual([0, ErrorCode.GROUP_ID_NOT_FOUND]);
    const request = { groupId: "g", sessionTimeoutMs: 10, memberId: "", protocolType: "consumer", protocols: [] };
    expect(await client.send(joinGroup, 0, request)).toMatchObject({ errorCode: ErrorCode.INVALID_SESSION_TIMEOUT });
    expect(await client.send(joinGroup, 0, { ...request, groupId: "" })).toMatchObject({
      errorCode: ErrorCode.INVALID_GROUP_ID,
    });
  });
});

describe("connections", () => {
  test("a version that is too new is answered with version 0 of ApiVersions", async () => {
    client = await open();
    const frame = (await client.exchange(
      encodeRequest(apiVersions, 9, 5, "x", { clientSoftwareName: "x", clientSoftwareVersion: "1" }),
    ))!;
    const r = new Reader(frame);
    expect([r.int32(), r.int16()]).toEqual([5, ErrorCode.UNSUPPORTED_VERSION]);
    expect(r.int32()).toBeGreaterThan(20);
    const { apiKeys } = await client.send(apiVersions, 4, { clientSoftwareName: "raw", clientSoftwareVersion: "1" });
    expect(apiKeys.find((k) => k.apiKey === 0)).toMatchObject({ minVersion: 0, maxVersion: 13 });
  });

  test.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n"), /HTTP/],
    ["TLS", Buffer.from("16030100ba", "hex"), /TLS/],
    ["a huge length", Buffer.from("7fffffff00", "hex"), /2147483647 bytes/],
    ["a negative length", Buffer.from("ffffffff00", "hex"), /-1 bytes/],
    ["an unknown API", Buffer.from("0000000a03e80000000000010000", "hex"), /API key 1000/],
    ["a body that ends early", Buffer.from("0000000c000100040000000100000000", "hex"), /Malformed/],
    [
      "an array longer than its message",
      Buffer.from("0000000e00030001000000010000" + "7fffffff", "hex"),
      /array of 2147483647/,
    ],
  ])("%s closes the connection and is reported", async (_what, bytes, reason) => {
    const told: string[] = [];
    const stop = subscribe("warning", (w) => told.push(w.message));
    const heard = new Promise<void>((resolve) => {
      const again = subscribe("warning", () => {
        again();
        resolve();
      });
    });
    client = await open();
    expect(await client.exchange(bytes)).toBeUndefined();
    await heard;
    stop();
    expect(told.join()).toMatch(reason);
    expect((await (await open()).send(metadata, 1, { topics: [] })).topics).toEqual([]);
  });

  test("whatever bytes come, the broker goes on", async () => {
    const frame = encodeRequest(fetch, 12, 3, "fuzz", fetchOf("fuzz", 0));
    const stop = subscribe("server.error", ({ error }) => expect.unreachable(error.stack));
    const mutated = fc
      .tuple(
        fc.array(fc.tuple(fc.nat(frame.length - 5), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(frame.length),
      )
      .map(([changes, cut]) => {
        const bytes = Buffer.from(frame);
        for (const [at, byte] of changes) bytes[4 + at] = byte;
        const out = bytes.subarray(0, Math.max(4, frame.length - (cut % 8)));
        out.writeInt32BE(out.length - 4, 0);
        return out;
      });
    const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => {
      const out = Buffer.alloc(4 + bytes.length);
      out.writeInt32BE(bytes.length, 0);
      out.set(bytes, 4);
      return out;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, anything), async (bytes) => {
        const c = await RawClient.connect(server.port);
        // A second request behind it: answered if the first was one, or the connection is closed.
        c.socket.write(bytes);
        c.socket.end();
        await new Promise((resolve) => c.socket.on("close", resolve));
      }),
      { numRuns: 300 },
    );
    stop();
    client = await open();
    expect((await client.send(metadata, 1, { topics: [] })).topics).toEqual([]);
  });

  test("a client that sends requests and reads no answers is not answered without end", async () => {
    const kafka = await startKafkaServer({ directory: join(root, "slow"), port: 0, inProcess: true });
    client = await open(kafka.port);
    await client.send(metadata, 4, { topics: [{ name: "t" }], allowAutoTopicCreation: true });
    for (let i = 0; i < 8; i++) await send("t", { records: [{ value: Buffer.alloc(1_000_000) }] });
    const slow = await open(kafka.port);
    slow.socket.pause();
    const request = encodeRequest(fetch, 11, 1, "slow", fetchOf("t", 0, { partitionMaxBytes: 8 << 20 }));
    const before = process.memoryUsage().arrayBuffers;
    // Answers of 800 MB altogether, of which one is made.
    for (let i = 0; i < 100; i++) slow.socket.write(request);
    for (let i = 0; i < 20; i++) await send("t", { records: [{ value: "x" }] });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100e6);
    await kafka.close();
  });

  test("requests in pieces are put together", async () => {
    client = await open();
    const frame = encodeRequest(metadata, 1, 3, "slow", { topics: [] });
    const answer = client.exchange(frame.subarray(0, 2));
    for (let i = 2; i < frame.length; i++) {
      await new Promise((resolve) => client.socket.write(frame.subarray(i, i + 1), resolve));
    }
    expect((await answer)!.readInt32BE(0)).toBe(3);
  });
});

describe("starting and stopping", () => {
  test("everything is there after a restart: records, topics, ids, settings, offsets, producers", async () => {
    const directory = join(root, "again");
    let kafka = await startKafkaServer({ directory, port: 0, inProcess: true });
    client = await open(kafka.port);
    const { topics: made } = await client.send(createTopics, 7, {
      topics: [
        {
          name: "t",
          numPartitions: 1,
          replicationFactor: 1,
          assignments: [],
          configs: [{ name: "retention.ms", value: "5" }],
        },
      ],
    });
    const { producerId } = await client.send(initProducerId, 0, { transactionalId: null, transactionTimeoutMs: 0 });
    const once = { records: [{ value: "v" }], producerId, producerEpoch: 0, baseSequence: 0 };
    await send("t", once);
    await client.send(offsetCommit, 6, {
      groupId: "g",
      memberId: "",
      topics: [
        {
          name: "t",
          partitions: [{ partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: 0, committedMetadata: "m" }],
        },
      ],
    });
    await kafka.close();
    kafka = await startKafkaServer({ directory, port: 0, inProcess: true });
    client = await open(kafka.port);
    expect((await client.send(metadata, 12, { topics: null })).topics).toMatchObject([
      { name: "t", topicId: made[0]!.topicId },
    ]);
    expect((await read("t", 0)).values).toEqual(["0:v"]);
    expect(await send("t", once)).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(
      (await client.send(initProducerId, 0, { transactionalId: null, transactionTimeoutMs: 0 })).producerId,
    ).toBeGreaterThan(producerId);
    const { topics: committed } = await client.send(offsetFetch, 5, { groupId: "g", topics: null });
    expect(committed[0]!.partitions[0]).toMatchObject({ committedOffset: 1, committedLeaderEpoch: 0, metadata: "m" });
    await kafka.close();
  });

  test("a port that is taken, a directory in use, one that cannot be written", async () => {
    const taken = startKafkaServer({ directory: join(root, "taken"), port: server.port });
    await expect(taken).rejects.toMatchObject({ code: "PORT_IN_USE" });
    // The failed start left nothing locked.
    await (await startKafkaServer({ directory: join(root, "taken"), port: 0 })).close();
    await expect(startKafkaServer({ directory: join(root, "main"), port: 0 })).rejects.toMatchObject({
      code: "DIRECTORY_IN_USE",
    });
    writeFileSync(join(root, "file"), "");
    await expect(startKafkaServer({ directory: join(root, "file", "x"), port: 0 })).rejects.toMatchObject({
      code: "DIRECTORY_NOT_WRITABLE",
    });
    await expect(startKafkaServer({ directory: root, port: 70_000 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  test("a log file that is damaged under a running broker is a storage error, and no other topic suffers", async () => {
    const directory = join(root, "rotten");
    const kafka = await startKafkaServer({ directory, port: 0, inProcess: true });
    client = await open(kafka.port);
    const { topics: made } = await client.send(metadata, 12, { topics: [{ name: "t" }, { name: "u" }] });
    for (const name of ["t", "u"]) for (let i = 0; i < 3; i++) await send(name, { records: [{ value: `${i}` }] });
    writeFileSync(join(directory, "logs", made[0]!.topicId, "0", "00000000000000000000.log"), "");
    const errors: string[] = [];
    const stop = subscribe("server.error", ({ error }) => errors.push(error.message));
    expect(await read("t", 0)).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    expect(errors.join()).toMatch(/KAFKA_LOG_CORRUPT/);
    expect((await read("u", 0)).values).toHaveLength(3);
    stop();
    await kafka.close();
  });

  test("a broker that listens everywhere tells clients the address at which they came", async () => {
    for (const host of ["0.0.0.0", "::"]) {
      const kafka = await startKafkaServer({ directory: join(root, "everywhere"), port: 0, host, inProcess: true });
      client = await open(kafka.port);
      const { brokers } = await client.send(metadata, 1, { topics: [] });
      expect(brokers).toMatchObject([{ host: "127.0.0.1", port: kafka.port }]);
      await kafka.close();
    }
  });

  test("a list of topics that cannot be read is an error and is left alone", async () => {
    const directory = join(root, "damaged");
    await (await startKafkaServer({ directory, port: 0 })).close();
    writeFileSync(join(directory, "broker.json"), "{");
    await expect(startKafkaServer({ directory, port: 0 })).rejects.toMatchObject({ code: "KAFKA_LOG_CORRUPT" });
  });

  test("each append on disk: acknowledged and shown all the same", async () => {
    const kafka = await startKafkaServer({ directory: join(root, "fsync"), port: 0, fsync: true });
    client = await open(kafka.port);
    await client.send(metadata, 1, { topics: [{ name: "t" }] });
    for (let i = 0; i < 5; i++)
      expect(await send("t", { records: [{ value: `${i}` }] })).toMatchObject({ baseOffset: i });
    expect((await read("t", 0)).values).toHaveLength(5);
    await kafka.close();
  });
});

/** A consumer's metadata: version 0, one topic, no user data. */
function subscription(topic: string): Buffer {
  const out = Buffer.alloc(2 + 4 + 2 + topic.length + 4);
  out.writeInt32BE(1, 2);
  out.writeInt16BE(topic.length, 6);
  out.write(topic, 8);
  out.writeInt32BE(-1, 8 + topic.length);
  return out;
}
