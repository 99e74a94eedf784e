import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { MillraceError } from "../../errors.ts";
import type { SparkConnectClient } from "../client/client.ts";
import type { WorkerFacts } from "./probe.ts";

/** The least Node that runs functions. */
export const MINIMUM_NODE = [20, 12] as const;

const MACHINES: Readonly<Record<string, readonly string[]>> = {
  x64: ["x86_64", "AMD64"],
  arm64: ["aarch64", "arm64"],
  ppc64: ["ppc64le"],
  s390x: ["s390x"],
};

let name: Promise<string> | undefined;

/**
 * Sends the Node of this process to a session whose workers have none, and gives its name there; undefined where the workers have one.
 *
 * @throws MillraceError DEPENDENCY_MISSING where the workers have none and this one does not run there
 */
export async function nodeArtifact(
  client: SparkConnectClient,
  facts: WorkerFacts,
  nodePath: string | undefined,
): Promise<string | undefined> {
  if (isEnough(facts.node)) return undefined;
  const least = MINIMUM_NODE.join(".");
  const found = facts.node === null ? "none" : `Node ${facts.node} at ${facts.nodePath}`;
  const missing = (why: string, hint: string): MillraceError =>
    new MillraceError("DEPENDENCY_MISSING", `The Spark workers have no Node ${least} or later (${found})${why}.`, {
      hint,
      parameters: { dependency: "node" },
    });
  if (nodePath !== undefined) {
    throw missing(
      ` where spark.millrace.node.path says, ${nodePath}`,
      "Correct the path, or leave it out: Node is then looked for on the PATH of the workers, and sent to them where it is not.",
    );
  }
  const same =
    facts.platform === process.platform &&
    (MACHINES[process.arch] ?? [process.arch]).includes(facts.machine) &&
    (process.platform !== "linux" || isGlibc() === (facts.libc === "glibc"));
  if (!same) {
    throw missing(
      `, and the one of this machine (${process.platform} ${process.arch}) does not run on theirs (${facts.platform} ${facts.machine})`,
      "Install Node on every worker, or give its path there with spark.millrace.node.path.",
    );
  }
  name ??= hashOf(process.execPath).then((hash) => `millrace-node-${hash}`);
  const artifact = await name;
  await client.addArtifact(`files/${artifact}`, { path: process.execPath });
  return artifact;
}

function isEnough(version: string | null): boolean {
  const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1]);
}

function isGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex").slice(0, 16);
}
