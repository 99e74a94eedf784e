import type { Command } from "commander";
import { type Suggestion, suggest } from "./suggest.ts";

/** Whoever waits at a prompt waits no longer. */
const PATIENCE_MS = 1_000;

/**
 * Answers a shell: `millrace complete -- peek fli` prints what may stand at the last word, a line each, with a tab before the description;
 * `:files` when it is a path. `--empty` stands for an empty last word, which some shells do not pass on.
 */
export async function complete(program: Command, args: readonly string[]): Promise<void> {
  const at = args.indexOf("--");
  const words = [...args.slice(at + 1), ...(args.slice(0, at).includes("--empty") ? [""] : [])];
  // A completion that fails is none; there is nowhere to say why.
  const found = await suggest(program, words.length === 0 ? [""] : words, find).catch(() => []);
  const lines =
    found === "files"
      ? [":files"]
      : found.map((s) => (s.description === "" ? s.value : `${s.value}\t${s.description}`));
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
}

async function find(what: "topics" | "queries"): Promise<readonly Suggestion[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Suggestion[]>((resolve) => {
    timer = setTimeout(() => resolve([]), PATIENCE_MS);
  });
  try {
    return await Promise.race([what === "topics" ? topics() : queries(), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function topics(): Promise<readonly Suggestion[]> {
  const { kafkaAddress } = await import("../addresses.ts");
  const { KafkaClient } = await import("../../kafka/client/index.ts");
  const client = KafkaClient.connect({
    "bootstrap.servers": await kafkaAddress(undefined),
    "client.id": "millrace-cli",
    "default.api.timeout.ms": String(PATIENCE_MS),
  });
  try {
    const found = [...(await client.metadata(null)).topics.values()].filter((t) => !t.internal);
    return found
      .map((t) => ({
        value: t.name,
        description: `${t.partitions.length} ${t.partitions.length === 1 ? "partition" : "partitions"}`,
      }))
      .sort((a, b) => (a.value < b.value ? -1 : 1));
  } finally {
    client.close();
  }
}

async function queries(): Promise<readonly Suggestion[]> {
  const { runDirectory } = await import("../commands/status.ts");
  const { findCheckpoints } = await import("../checkpoints/find.ts");
  return findCheckpoints(await runDirectory(undefined)).map((c) => ({
    value: c.name,
    description: c.batchId === null ? "no batch yet" : `batch ${c.batchId}`,
  }));
}
