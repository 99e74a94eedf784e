import { serialize } from "node:v8";
import { create } from "@bufbuild/protobuf";
import type { Conf } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import type { UserFunction } from "../../plan/expr.ts";
import { parseIntervalMicros } from "../../plan/interval.ts";
import { nameParts } from "../../plan/names.ts";
import type { Relation } from "../../plan/relation.ts";
import type { DataType, StructType } from "../../types/data-type.ts";
import type { SparkConnectClient } from "../client/client.ts";
import { encodeType } from "../encode-type.ts";
import * as pb from "../proto/spark-connect_pb.ts";
import { type CapturedFunction, captureFunctions } from "./capture.ts";
import { arrowSchema, type DeclaredState, declaredState } from "./declarations.ts";
import { EVAL_TYPE } from "./eval-type.ts";
import { scriptInputs, type UdfCall } from "./modes.ts";
import { nodeArtifact } from "./node-artifact.ts";
import type { FunctionPackage, FunctionUse, StatefulUse } from "./package.ts";
import { pickleCommand, pythonData, pythonModule } from "./pickle.ts";
import { type WorkerFacts, workerFacts } from "./probe.ts";
import { packed, shortHash, type WorkerRuntime, workerRuntime } from "./runtime.ts";
import { walk } from "./walk.ts";

export type MapRows = Extract<Relation, { kind: "map_rows" }>;
export type TransformWithState = Extract<Relation, { kind: "transform_with_state" }>;

/**
 * TypeScript functions on their way to a Spark server. `prepare` carries what a plan needs; the other methods give the messages
 * of functions that are prepared, and are called while the plan is encoded.
 */
export interface FunctionShipper {
  /**
   * Captures every function of a plan with its closure, bundles what they import, and learns of the server's workers. Does nothing for a
   * plan without functions. Call it before the plan is encoded; a function is prepared once.
   *
   * @throws MillraceError FUNCTION_NOT_PORTABLE, DEPENDENCY_MISSING (a worker without pyarrow or without Node)
   */
  prepare(plan: Relation, conf: Conf, schemaOf: SchemaOf): Promise<void>;
  /** The call of a scalar function; `args` are encoded already. */
  udf(call: UdfCall, args: readonly pb.Expression[]): pb.Expression;
  /** `map`, `flatMap`, `mapBatch` and `filter` over the encoded input. */
  mapRows(node: MapRows, input: pb.Relation): pb.Relation;
  /** A stateful processor over the encoded input, `grouping` encoded already. */
  transformWithState(node: TransformWithState, input: pb.Relation, grouping: readonly pb.Expression[]): pb.Relation;
  /** Settings that a plan's functions need of the session, such as the state store of `transformWithState`. */
  conf(plan: Relation): Readonly<Record<string, string>>;
}

/** The schema of a part of a plan as the server sees it, whose functions are prepared. */
export type SchemaOf = (part: Relation) => Promise<StructType>;

/** The shipper of a session. */
export function createFunctionShipper(client: SparkConnectClient): FunctionShipper {
  return new Shipper(client);
}

/** After so long without an answer a function is taken for one that never returns; nothing or less: never. */
const DEFAULT_TIMEOUT = "10 minutes";

/** Bytes of a function with its variables: it is part of every plan that calls it. */
const LARGEST = 64 * 2 ** 20;

class Shipper implements FunctionShipper {
  readonly #client: SparkConnectClient;
  readonly #captured = new WeakMap<Function, CapturedFunction>();
  readonly #stateful = new WeakMap<TransformWithState, { readonly state: DeclaredState; readonly use: StatefulUse }>();
  readonly #inputs = new WeakMap<MapRows | UdfCall, StructType>();
  #runtime: WorkerRuntime | undefined;
  #facts: WorkerFacts | undefined;
  #artifact: string | undefined;
  #conf: Conf = {};

  constructor(client: SparkConnectClient) {
    this.#client = client;
  }

  async prepare(plan: Relation, conf: Conf, schemaOf: SchemaOf): Promise<void> {
    this.#conf = conf;
    const functions = functionsOf(plan);
    if (functions.size === 0) return;
    this.#runtime = await workerRuntime();
    const nodePath = conf["spark.millrace.node.path"];
    const facts = await workerFacts(this.#client, nodePath);
    if (facts.pyarrow === null) {
      throw new MillraceError("DEPENDENCY_MISSING", "The Python of the Spark workers has no pyarrow.", {
        hint: "Install it on every worker: pip install pyarrow.",
        parameters: { dependency: "pyarrow" },
      });
    }
    this.#facts = facts;
    this.#artifact = await nodeArtifact(this.#client, facts, nodePath);
    // Variables are taken as they stand when the plan is run, as they are embedded.
    const taken = [...functions].filter(([fn]) => !isConstant(this.#captured.get(fn)));
    if (taken.length > 0) {
      const captured = await captureFunctions(taken.map(([fn, name]) => ({ name, fn })));
      taken.forEach(([fn], i) => {
        this.#captured.set(fn, captured[i]!);
      });
    }
    for (const [node, input] of await scriptInputs(plan, schemaOf)) this.#inputs.set(node, input);
    // From the inside out: the schema of an outer one's input may rest on an inner one.
    for (const node of statefulNodes(plan).reverse()) {
      if (this.#stateful.has(node)) continue;
      const state = declaredState(node.processor, node.timeMode);
      this.#stateful.set(node, { state, use: statefulUse(node, await schemaOf(node.input)) });
    }
  }

  udf(call: UdfCall, args: readonly pb.Expression[]): pb.Expression {
    return this.#scalar(call.fn, { kind: "scalar", type: call.type, ...this.#input(call) }, call.type, args);
  }

  #input(node: MapRows | UdfCall): { readonly input?: StructType } {
    const input = this.#inputs.get(node);
    return input === undefined ? {} : { input };
  }

  #scalar(fn: UserFunction, use: FunctionUse, type: DataType, args: readonly pb.Expression[]): pb.Expression {
    this.#needs41(`The function \`${fn.name}\``);
    // Spark hands no rows to a function without arguments.
    const some = args.length > 0 ? [...args] : [nullLiteral()];
    return create(pb.ExpressionSchema, {
      exprType: {
        case: "commonInlineUserDefinedFunction",
        value: {
          functionName: fn.name,
          deterministic: fn.deterministic,
          arguments: some,
          function: {
            case: "pythonUdf",
            value: this.#pythonUdf(fn.name, fn.call, use, "scalar", EVAL_TYPE.scalarArrow, type),
          },
        },
      },
    });
  }

  mapRows(node: MapRows, input: pb.Relation): pb.Relation {
    const { fn, op, schema } = node;
    if (op === "filter") {
      // A condition, not mapInArrow: the rows stay in Spark, and a watermark stays with its column.
      const row = wholeRow();
      const condition = this.#scalar(fn, { kind: "filter", ...this.#input(node) }, { kind: "boolean" }, [row]);
      return create(pb.RelationSchema, { relType: { case: "filter", value: { input, condition } } });
    }
    const udf = this.#pythonUdf(
      fn.name,
      fn.call,
      { kind: op, schema: schema!, ...this.#input(node) },
      "map_rows",
      EVAL_TYPE.mapArrowIter,
      schema!,
    );
    // Spark drops the columns that the function's arguments do not name. As one struct they need not be known here.
    const rows = alias(wholeRow(), ROW_COLUMN);
    return create(pb.RelationSchema, {
      relType: {
        case: "mapPartitions",
        value: {
          input: { relType: { case: "project", value: { input, expressions: [rows] } } },
          func: {
            functionName: fn.name,
            deterministic: fn.deterministic,
            arguments: [column(ROW_COLUMN)],
            function: { case: "pythonUdf", value: udf },
          },
        },
      },
    });
  }

  transformWithState(node: TransformWithState, input: pb.Relation, grouping: readonly pb.Expression[]): pb.Relation {
    const { processor, schema, timeMode, outputMode, eventTimeColumn } = node;
    this.#needs41(`The stateful processor ${processor.name}`);
    const known = this.#stateful.get(node);
    if (known === undefined) throw notPrepared(processor.name);
    const { state, use } = known;
    const keyFields = use.keys.map((name) => use.input.fields.find((f) => f.name === name)!);
    const more = {
      stateful: { ...state, timeMode, input: arrowSchema(use.input.fields), keys: arrowSchema(keyFields) },
    };
    const udf = this.#pythonUdf(
      processor.name,
      processor.create,
      use,
      "stateful",
      EVAL_TYPE.transformWithStateRow,
      schema,
      more,
    );
    return create(pb.RelationSchema, {
      relType: {
        case: "groupMap",
        value: {
          input,
          groupingExpressions: [...grouping],
          outputMode: outputMode === "append" ? "Append" : "Update",
          func: {
            functionName: processor.name,
            deterministic: true,
            arguments: use.input.fields.map((f) => column(f.name)),
            function: { case: "pythonUdf", value: udf },
          },
          transformWithStateInfo: {
            timeMode: { none: "None", processing_time: "ProcessingTime", event_time: "EventTime" }[timeMode],
            eventTimeColumnName: eventTimeColumn ?? "",
            outputSchema: encodeType(schema),
          },
        },
      },
    });
  }

  conf(plan: Relation): Readonly<Record<string, string>> {
    return statefulNodes(plan).length > 0 ? ROCKSDB : {};
  }

  #pythonUdf(
    name: string,
    call: Function,
    use: FunctionUse,
    python: string,
    evalType: number,
    type: DataType,
    more: unknown = {},
  ) {
    const captured = this.#captured.get(call);
    if (captured === undefined || this.#runtime === undefined || this.#facts === undefined) {
      throw notPrepared(name);
    }
    const wire: FunctionPackage = { ...captured, name, use };
    const body = serialize(wire);
    if (body.length > LARGEST) {
      throw new MillraceError(
        "FUNCTION_NOT_PORTABLE",
        `Function \`${name}\` cannot be carried to a Spark cluster: with what it uses it takes ${Math.ceil(body.length / 2 ** 20)} MiB.`,
        { hint: "Read large tables as a DataFrame and join them instead.", parameters: { function: name } },
      );
    }
    const packaged = { id: shortHash(body), name, body: packed(body), ...(more as object) };
    const module = pythonModule(`millrace_worker_${this.#runtime.hash}`, this.#runtime.python);
    const expression = `${module}.${python}(${pythonData(packaged)}, ${pythonData(this.#options())})`;
    return create(pb.PythonUDFSchema, {
      outputType: encodeType(type),
      evalType,
      command: pickleCommand(expression, type),
      pythonVer: this.#facts.python,
    });
  }

  #options() {
    const timeout = this.#conf["spark.millrace.function.timeout"] ?? DEFAULT_TIMEOUT;
    const micros = parseIntervalMicros(timeout, "spark.millrace.function.timeout");
    return {
      node: this.#conf["spark.millrace.node.path"] ?? null,
      artifact: this.#artifact ?? null,
      limit: micros > 0n ? Number(micros) / 1e6 : null,
      hash: this.#runtime!.hash,
      runtime: this.#runtime!.text,
    };
  }

  #needs41(what: string): void {
    if (this.#client.isAtLeast(4, 1)) return;
    throw new MillraceError(
      "UNSUPPORTED_FEATURE",
      `${what} needs Spark 4.1; the server is Spark ${this.#client.serverVersion}.`,
      {
        hint: "Use `map`, `flatMap` or `mapBatch`, which Spark 4.0 has, or a newer server.",
      },
    );
  }
}

const ROCKSDB = {
  "spark.sql.streaming.stateStore.providerClass":
    "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
};
function nullLiteral(): pb.Expression {
  return create(pb.ExpressionSchema, {
    exprType: {
      case: "literal",
      value: { literalType: { case: "null", value: { kind: { case: "null", value: {} } } } },
    },
  });
}

/** A function that needs nothing but its text is the same each time. */
function isConstant(captured: CapturedFunction | undefined): boolean {
  return captured?.capsule.entries.every((e) => e.type === "function" && e.variables.length === 0) ?? false;
}

function column(name: string): pb.Expression {
  const unparsedIdentifier = `\`${name.replaceAll("`", "``")}\``;
  return create(pb.ExpressionSchema, { exprType: { case: "unresolvedAttribute", value: { unparsedIdentifier } } });
}

function notPrepared(name: string): MillraceError {
  return new MillraceError("INTERNAL", `The function ${name} was not prepared for Spark.`);
}

const ROW_COLUMN = "millrace_row";

function alias(expr: pb.Expression, name: string): pb.Expression {
  return create(pb.ExpressionSchema, { exprType: { case: "alias", value: { expr, name: [name] } } });
}

/** All columns as one struct. */
function wholeRow(): pb.Expression {
  return create(pb.ExpressionSchema, {
    exprType: {
      case: "unresolvedFunction",
      value: { functionName: "struct", arguments: [{ exprType: { case: "unresolvedStar", value: {} } }] },
    },
  });
}

/** The TypeScript functions of a plan with their names. */
export function functionsOf(plan: Relation): Map<Function, string> {
  const found = new Map<Function, string>();
  walk(plan, (node) => {
    if (node.kind === "udf" || node.kind === "map_rows") {
      const { call, name } = node.fn as UserFunction;
      found.set(call, name);
    } else if (node.kind === "transform_with_state") {
      const { create: make, name } = (node as unknown as TransformWithState).processor;
      found.set(make, name);
    }
  });
  return found;
}

function statefulNodes(plan: Relation): TransformWithState[] {
  const found: TransformWithState[] = [];
  walk(plan, (node) => {
    if (node.kind === "transform_with_state") found.push(node as unknown as TransformWithState);
  });
  return found;
}

function statefulUse(node: TransformWithState, input: StructType): StatefulUse {
  const fieldOf = (name: string): string => {
    const field = input.fields.find((f) => f.name.toLowerCase() === name.toLowerCase());
    if (field !== undefined) return field.name;
    throw new MillraceError("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", `There is no column \`${name}\`.`, {
      parameters: { objectName: name },
    });
  };
  const keys = node.grouping.map((g) => {
    if (g.kind === "attribute") return fieldOf(nameParts(g.name).at(-1)!);
    throw new MillraceError("UNSUPPORTED_FEATURE", "On Spark the keys of a stateful processor are columns.", {
      hint: "Compute the key with withColumn first.",
    });
  });
  const { schema, timeMode, processor } = node;
  return { kind: "stateful", schema, input, keys, timeMode, orderBy: (processor.orderBy ?? []).map(fieldOf) };
}
