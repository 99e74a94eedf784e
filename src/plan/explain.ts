import { sqlName } from "../types/ddl.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedRelation, SortKey } from "./resolved.ts";
import { parseSecretNames } from "./secrets.ts";
import { resolvedInputs } from "./walk.ts";

/** A plan as Spark's `explain` draws it, one operator a line, inputs indented. Values of secret options are shown as ***. */
export function explainPlan(
  plan: ResolvedRelation,
  options: { readonly secretOptions?: Iterable<string> } = {},
): string {
  const secret = parseSecretNames(options.secretOptions);
  const lines: string[] = [];
  const draw = (node: ResolvedRelation, prefix: string, childPrefix: string): void => {
    lines.push(prefix + describe(node, secret));
    const inputs = resolvedInputs(node);
    inputs.forEach((input, i) => {
      const last = i === inputs.length - 1;
      draw(input, `${childPrefix}${last ? "+- " : ":- "}`, `${childPrefix}${last ? "   " : ":  "}`);
    });
  };
  draw(plan, "", "");
  return `${lines.join("\n")}\n`;
}

function describe(node: ResolvedRelation, secret: (name: string) => boolean): string {
  switch (node.kind) {
    case "scan": {
      const options = Object.entries(node.options).map(([k, v]) => `${k}=${secret(k) ? "***" : hidePasswords(v)}`);
      const what = [node.format, ...node.paths.map(hidePasswords)].join(" ");
      return `${node.streaming ? "StreamingRelation" : "Relation"} ${what} ${list(node.fields)}${options.length > 0 ? ` {${options.join(", ")}}` : ""}`;
    }
    case "local":
      return `LocalRelation ${list(node.fields)}, ${node.rows.length} rows`;
    case "range":
      return `Range (${node.start}, ${node.end}, step=${node.step})`;
    case "project":
      return `Project [${node.exprs.map(named).join(", ")}]`;
    case "filter":
      return `Filter ${exprToText(node.condition)}`;
    case "aggregate":
      return `Aggregate [${node.keys.map(named).join(", ")}], [${node.calls.map(named).join(", ")}]${node.sets ? `, sets ${JSON.stringify(node.sets)}` : ""}`;
    case "time_window":
      return `TimeWindow ${ref(node.field)} over ${exprToText(node.time)}, ${micros(node.durationMicros)}, slide ${micros(node.slideMicros)}${node.startMicros === 0n ? "" : `, start ${micros(node.startMicros)}`}`;
    case "generate":
      return `Generate ${exprToText(node.generator)}, ${node.outer}, ${list(node.outputs)}`;
    case "join":
      return `Join ${JOINS[node.type]}${node.condition ? `, ${exprToText(node.condition)}` : ""}`;
    case "union":
      return "Union";
    case "intersect":
    case "except":
      return `${node.kind === "intersect" ? "Intersect" : "Except"}${node.all ? " All" : ""}`;
    case "sort":
      return `Sort [${node.order.map(order).join(", ")}], true`;
    case "limit":
      return `GlobalLimit ${node.limit}`;
    case "offset":
      return `Offset ${node.offset}`;
    case "deduplicate":
      return `Deduplicate${node.withinWatermark ? "WithinWatermark" : ""} [${node.keys.map((id) => ref(node.input.fields.find((f) => f.id === id)!)).join(", ")}]`;
    case "watermark":
      return `EventTimeWatermark ${ref(node.fields.find((f) => f.id === node.column)!)}, ${micros(node.delayMicros)}`;
    case "sample":
      return `Sample ${node.fraction}, ${node.withReplacement}, ${node.seed}`;
    case "map_rows":
      return `MapRows ${node.op} ${node.fn.name}, ${list(node.fields)}`;
    case "transform_with_state":
      return `TransformWithState [${node.keys.map((id) => ref(node.input.fields.find((f) => f.id === id)!)).join(", ")}], ${node.processor.name}, ${node.outputMode}, ${node.timeMode}, ${list(node.fields)}`;
  }
}

const JOINS: Record<Extract<ResolvedRelation, { kind: "join" }>["type"], string> = {
  inner: "Inner",
  cross: "Cross",
  left_outer: "LeftOuter",
  right_outer: "RightOuter",
  full_outer: "FullOuter",
  left_semi: "LeftSemi",
  left_anti: "LeftAnti",
};

const ref = (f: Field): string => `${f.name}#${f.id}${f.watermark ? `-T${f.watermark.delayMicros / 1000n}ms` : ""}`;
const list = (fields: readonly Field[]): string => `[${fields.map(ref).join(", ")}]`;
const order = (k: SortKey): string =>
  `${exprToText(k.expr)} ${k.direction.toUpperCase()} NULLS ${k.nulls.toUpperCase()}`;

function named(n: NamedExpr): string {
  if (n.expr.kind === "column" && n.expr.id === n.field.id) return ref(n.field);
  return `${exprToText(n.expr)} AS ${ref(n.field)}`;
}

function micros(n: bigint): string {
  const units: [bigint, string][] = [
    [86_400_000_000n, "days"],
    [3_600_000_000n, "hours"],
    [60_000_000n, "minutes"],
    [1_000_000n, "seconds"],
    [1_000n, "milliseconds"],
  ];
  for (const [size, unit] of units)
    if (n !== 0n && n % size === 0n) return `${n / size} ${n / size === 1n ? unit.slice(0, -1) : unit}`;
  return `${n} microseconds`;
}

const INFIX = new Set(["+", "-", "*", "/", "%", "<=>", "<", "<=", ">", ">=", "and", "or", "&", "|", "^", "div"]);

/** A resolved expression as text, columns as `name#id`. */
export function exprToText(e: ResolvedExpr): string {
  switch (e.kind) {
    case "literal":
      return e.value === null
        ? "null"
        : e.value instanceof Date
          ? e.value.toISOString()
          : e.value instanceof Uint8Array
            ? `0x${Buffer.from(e.value).toString("hex")}`
            : String(e.value);
    case "column":
      return `${e.name}#${e.id}`;
    case "call": {
      const a = e.args.map(exprToText);
      if (a.length === 2 && e.name === "==") return `(${a[0]} = ${a[1]})`;
      if (a.length === 2 && INFIX.has(e.name)) return `(${a[0]} ${e.name.toUpperCase()} ${a[1]})`;
      return `${e.name}(${e.distinct ? "distinct " : ""}${a.join(", ")})`;
    }
    case "cast":
      return `${e.mode === "try" ? "try_cast" : "cast"}(${exprToText(e.child)} as ${sqlName(e.type).toLowerCase()})`;
    case "get_field":
      return `${exprToText(e.child)}.${e.name}`;
    case "get_item":
      return `${exprToText(e.child)}[${exprToText(e.key)}]`;
    case "lambda":
      return `lambda (${e.params.map((p) => p.name).join(", ")}) -> ${exprToText(e.body)}`;
    case "lambda_variable":
      return e.name;
    case "over":
      return `${exprToText(e.child)} over (${e.partitionBy.length > 0 ? `partition by ${e.partitionBy.map(exprToText).join(", ")} ` : ""}order by [${e.orderBy.map(order).join(", ")}])`;
    case "udf":
      return `${e.fn.name}(${e.args.map(exprToText).join(", ")})`;
  }
}

/** Passwords inside addresses, `postgres://user:secret@host`. */
function hidePasswords(text: string): string {
  return text
    .replace(/(\/\/[^:/@\s]*:)[^@\s]+@/g, "$1***@")
    .replace(/((?:password|token|secret)=)[^;&\s"]+/gi, "$1***");
}
