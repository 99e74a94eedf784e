import { create } from "@bufbuild/protobuf";
import { MillraceError } from "../../errors.ts";
import type { DataType } from "../../types/data-type.ts";
import { decodeArrow } from "../arrow.ts";
import type { SparkConnectClient } from "../client/client.ts";
import { encodeType } from "../encode-type.ts";
import * as pb from "../proto/spark-connect_pb.ts";
import { EVAL_TYPE } from "./eval-type.ts";
import { pickleCommand, pythonModule } from "./pickle.ts";
import { pythonSource, shortHash } from "./runtime.ts";

/** What a worker of a server has. */
export interface WorkerFacts {
  /** Version of its Python, `3.11`: a command must name it. */
  readonly python: string;
  readonly pyarrow: string | null;
  /** `linux`, `darwin`, `win32`. */
  readonly platform: string;
  /** `x86_64`, `aarch64`, ... */
  readonly machine: string;
  /** `glibc`, or empty where it is another. */
  readonly libc: string;
  readonly nodePath: string | null;
  readonly node: string | null;
}

const known = new Map<string, Promise<WorkerFacts>>();

/**
 * Asks a worker what it has, once for each server. `nodePath` is where Node should be; default: on the worker's PATH.
 *
 * @throws MillraceError DEPENDENCY_MISSING where the workers have no Python that Spark can start
 */
export function workerFacts(client: SparkConnectClient, nodePath?: string): Promise<WorkerFacts> {
  const key = `${client.authority} ${nodePath ?? ""}`;
  let facts = known.get(key);
  if (facts === undefined) {
    facts = probe(client, nodePath);
    known.set(key, facts);
    // A server that failed may have other workers when it is asked again.
    facts.catch(() => known.delete(key));
  }
  return facts;
}

async function probe(client: SparkConnectClient, nodePath: string | undefined): Promise<WorkerFacts> {
  try {
    return await ask(client, nodePath, FIRST_GUESS);
  } catch (error) {
    // Spark's worker tells its version to whom names another.
    const other = /worker has different version:?\s*\(?(\d+\.\d+)/i.exec(textOf(error))?.[1];
    if (other === undefined) throw noPython(error) ?? error;
    return await ask(client, nodePath, other);
  }
}

const FIRST_GUESS = "3.11";

async function ask(client: SparkConnectClient, nodePath: string | undefined, python: string): Promise<WorkerFacts> {
  const source = pythonSource("probe.py");
  const module = pythonModule(`millrace_probe_${shortHash(source)}`, source);
  const text: DataType = { kind: "string" };
  const command = pickleCommand(`${module}.probe(${nodePath === undefined ? "None" : JSON.stringify(nodePath)})`, text);
  const plan = create(pb.PlanSchema, {
    opType: {
      case: "root",
      value: {
        relType: {
          case: "project",
          value: {
            input: { relType: { case: "range", value: { start: 0n, end: 1n, step: 1n, numPartitions: 1 } } },
            expressions: [
              {
                exprType: {
                  case: "commonInlineUserDefinedFunction",
                  value: {
                    functionName: "millrace_probe",
                    deterministic: true,
                    arguments: [{ exprType: { case: "unresolvedAttribute", value: { unparsedIdentifier: "id" } } }],
                    function: {
                      case: "pythonUdf",
                      // Rows as pickles: this kind needs no pyarrow.
                      value: { outputType: encodeType(text), evalType: EVAL_TYPE.batched, command, pythonVer: python },
                    },
                  },
                },
              },
            ],
          },
        },
      },
    },
  });
  for await (const { responseType } of client.execute(plan)) {
    if (responseType.case !== "arrowBatch" || responseType.value.rowCount === 0n) continue;
    const [row] = decodeArrow(responseType.value.data).rows;
    return JSON.parse(String(Object.values(row!)[0])) as WorkerFacts;
  }
  throw new MillraceError("INTERNAL", "The Spark workers gave no answer to what they have.");
}

function noPython(error: unknown): MillraceError | undefined {
  if (
    !/Cannot run program|No such file or directory|Failed to launch|PYTHON_DAEMON|No module named/i.test(textOf(error))
  )
    return undefined;
  return new MillraceError(
    "DEPENDENCY_MISSING",
    "TypeScript functions on Spark need Python on its workers, with pyspark.",
    {
      hint: "Install Python 3.10 or later with pyarrow there, and name it with PYSPARK_PYTHON or spark.pyspark.python on the server.",
      cause: error,
      parameters: { dependency: "python" },
    },
  );
}

/** The messages of an error and of its causes. */
export function textOf(error: unknown): string {
  const texts: string[] = [];
  for (let e: unknown = error, depth = 0; e instanceof Error && depth < 10; e = e.cause, depth++) texts.push(e.message);
  return texts.join("\n");
}
