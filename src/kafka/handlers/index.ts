import { apiVersions } from "./api-versions.ts";
import { describeCluster, describeTopicPartitions } from "./cluster.ts";
import { alterConfigs, describeConfigs, incrementalAlterConfigs } from "./configs.ts";
import { fetch } from "./fetch.ts";
import { deleteGroups, describeGroups, listGroups } from "./groups.ts";
import type { Handler } from "./handler.ts";
import { listOffsets } from "./list-offsets.ts";
import { describeLogDirs, offsetForLeaderEpoch } from "./logs.ts";
import { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from "./membership.ts";
import { metadata } from "./metadata.ts";
import { offsetCommit, offsetDelete, offsetFetch } from "./offsets.ts";
import { produce } from "./produce.ts";
import { describeProducers, initProducerId } from "./producers.ts";
import { createPartitions, createTopics, deleteRecords, deleteTopics } from "./topics.ts";

/** Every API this broker answers. A new one is a file and a line here. */
export const HANDLERS: readonly Handler[] = [
  apiVersions(() => HANDLERS),
  metadata,
  describeCluster,
  describeTopicPartitions,
  produce,
  initProducerId,
  describeProducers,
  fetch,
  listOffsets,
  offsetForLeaderEpoch,
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  offsetCommit,
  offsetFetch,
  offsetDelete,
  describeGroups,
  listGroups,
  deleteGroups,
  createTopics,
  deleteTopics,
  createPartitions,
  deleteRecords,
  describeConfigs,
  alterConfigs,
  incrementalAlterConfigs,
  describeLogDirs,
];
