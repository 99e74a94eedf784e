import type { StructType } from "../../../src/types/data-type.ts";
import { columnsByType, keyOf, literalsOf, POOL } from "./pool.ts";
import { type Production, productionsOf } from "./productions.ts";
import { isShallow, isStatistic, MODERATE } from "./special.ts";
import type { Tape } from "./tape.ts";

/** A generated expression as a tree, so that it can be made smaller. */
export interface Tree {
  readonly type: string;
  readonly parts: readonly Tree[];
  render(parts: readonly string[]): string;
}

export const sqlOf = (tree: Tree): string => tree.render(tree.parts.map(sqlOf));

const scalars = productionsOf("scalar");
const aggregates = productionsOf("aggregate");
const windows = productionsOf("window");
const KEYS = [...POOL.keys()];

const leaf = (type: string, sql: string): Tree => ({ type, parts: [], render: () => sql });

/** Random expressions over the columns of a table. */
export class ExpressionMaker {
  readonly #tape: Tape;
  readonly #columns: ReadonlyMap<string, readonly string[]>;
  /** Lambda parameters in scope, by type. */
  #variables: readonly (readonly [type: string, name: string])[] = [];

  constructor(tape: Tape, schema: StructType) {
    this.#tape = tape;
    this.#columns = columnsByType(schema);
  }

  /** Any scalar expression; every function has the same chance to be the outermost. */
  scalar(depth = 3): Tree {
    const kind = this.#tape.next(100);
    if (kind < 10) return this.#cast(this.#tape.pick(KEYS), depth);
    if (kind < 18) return this.#caseWhen(this.#tape.pick(KEYS), depth);
    if (kind < 28) return this.#higherOrder(depth);
    return this.#apply(this.#tape.pick(this.#tape.pick(scalars.byFunction)), depth);
  }

  /** An aggregate over scalar expressions. */
  aggregate(depth = 2): Tree {
    return this.#apply(this.#tape.pick(this.#tape.pick(aggregates.byFunction)), depth);
  }

  /** A window function or an aggregate over a window, its rows in a definite order. */
  windowed(depth = 1): Tree {
    const list = this.#tape.chance(60) ? windows.byFunction : aggregates.byFunction;
    const call = this.#overWindow(this.#tape.pick(this.#tape.pick(list)), depth);
    const by = this.#columns.get("BOOLEAN")?.[0];
    const partition = by !== undefined && this.#tape.chance(40) ? `PARTITION BY ${by} ` : "";
    const isFrame = list !== windows.byFunction && this.#tape.chance(40);
    const frame = isFrame ? " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW" : "";
    return { type: call.type, parts: [call], render: ([c]) => `${c} OVER (${partition}ORDER BY id${frame})` };
  }

  #overWindow(p: Production, depth: number): Tree {
    if (!isStatistic(p.fn.name)) return this.#apply(p, depth);
    const parts = p.args.map(() => leaf("", this.#tape.pick(MODERATE)));
    return { type: p.result, parts, render: (args) => callSql(p.fn.name, args) };
  }

  /** An expression of a type: a column, a literal, or a call. */
  of(type: string, depth: number): Tree {
    const scoped = this.#variables.filter(([t]) => t === type);
    if (scoped.length > 0 && this.#tape.chance(60)) return leaf(type, this.#tape.pick(scoped)[1]);
    const columns = this.#columns.get(type) ?? [];
    if (depth > 0 && this.#tape.chance(columns.length > 0 ? 45 : 65)) {
      const made = scalars.byResult.get(type) ?? [];
      const kind = this.#tape.next(100);
      if (kind < 12) return this.#cast(type, depth);
      if (kind < 22) return this.#caseWhen(type, depth);
      if (made.length > 0) return this.#apply(this.#tape.pick(made), depth);
    }
    if (columns.length > 0 && this.#tape.chance(85)) return leaf(type, this.#tape.pick(columns));
    if (this.#tape.chance(5)) return leaf(type, `CAST(NULL AS ${type})`);
    return leaf(type, this.#tape.pick(literalsOf(POOL.get(type)!)));
  }

  #apply(p: Production, depth: number): Tree {
    const parts = p.args.map((arg) =>
      typeof arg === "string"
        ? this.of(arg, isShallow(p.fn.name, arg) ? 0 : depth - 1)
        : leaf("", this.#tape.pick(arg)),
    );
    return { type: p.result, parts, render: (args) => callSql(p.fn.name, args) };
  }

  #cast(to: string, depth: number): Tree {
    const from = this.of(this.#tape.pick(castable(to)), depth - 1);
    const name = this.#tape.chance(30) ? "TRY_CAST" : "CAST";
    return { type: to, parts: [from], render: ([x]) => `${name}(${x} AS ${to})` };
  }

  #caseWhen(type: string, depth: number): Tree {
    const parts = [this.of("BOOLEAN", depth - 1), this.of(type, depth - 1), this.of(type, depth - 1)];
    return { type, parts, render: ([c, a, b]) => `CASE WHEN ${c} THEN ${a} ELSE ${b} END` };
  }

  #higherOrder(depth: number): Tree {
    const [array, element] = this.#tape.pick([
      ["ARRAY<INT>", "INT"],
      ["ARRAY<STRING>", "STRING"],
    ] as const);
    const body = (type: string, ...variables: (readonly [string, string])[]): Tree => {
      const before = this.#variables;
      this.#variables = [...before, ...variables];
      try {
        return this.of(type, Math.min(depth - 1, 2));
      } finally {
        this.#variables = before;
      }
    };
    const over = this.of(array, depth - 1);
    const name = `x${this.#variables.length}`;
    switch (this.#tape.next(9)) {
      case 0: {
        const to = this.#tape.pick(["INT", "STRING"] as const);
        return {
          type: `ARRAY<${to}>`,
          parts: [over, body(to, [element, name])],
          render: ([a, b]) => `transform(${a}, ${name} -> ${b})`,
        };
      }
      case 1:
        return {
          type: array,
          parts: [over, body("BOOLEAN", [element, name])],
          render: ([a, b]) => `filter(${a}, ${name} -> ${b})`,
        };
      case 2:
        return {
          type: "BOOLEAN",
          parts: [over, body("BOOLEAN", [element, name])],
          render: ([a, b]) => `exists(${a}, ${name} -> ${b})`,
        };
      case 3:
        return {
          type: "BOOLEAN",
          parts: [over, body("BOOLEAN", [element, name])],
          render: ([a, b]) => `forall(${a}, ${name} -> ${b})`,
        };
      case 4:
        return {
          type: "STRING",
          parts: [over, body("STRING", [element, name], ["STRING", `s${name}`])],
          render: ([a, b]) => `aggregate(${a}, '', (s${name}, ${name}) -> ${b})`,
        };
      case 5:
        return {
          type: "MAP<STRING, INT>",
          parts: [this.of("MAP<STRING, INT>", depth - 1), body("BOOLEAN", ["STRING", `k${name}`], ["INT", name])],
          render: ([a, b]) => `map_filter(${a}, (k${name}, ${name}) -> ${b})`,
        };
      case 6:
        return {
          type: "ARRAY<INT>",
          parts: [over, this.of("ARRAY<INT>", depth - 1), body("INT", [element, name], ["INT", `s${name}`])],
          render: ([a, b, c]) => `zip_with(${a}, ${b}, (${name}, s${name}) -> ${c})`,
        };
      case 7:
        return {
          type: "MAP<STRING, INT>",
          parts: [this.of("MAP<STRING, INT>", depth - 1), body("STRING", ["STRING", `k${name}`], ["INT", name])],
          render: ([a, b]) => `transform_keys(${a}, (k${name}, ${name}) -> ${b})`,
        };
      default:
        return {
          type: "MAP<STRING, INT>",
          parts: [this.of("MAP<STRING, INT>", depth - 1), body("INT", ["STRING", `k${name}`], ["INT", name])],
          render: ([a, b]) => `transform_values(${a}, (k${name}, ${name}) -> ${b})`,
        };
    }
  }
}

const NUMBERS = ["TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10,2)", "DECIMAL(38,10)"];
/** What casts to text the same in both: bytes may be no UTF-8. */
const TEXTS = KEYS.filter((key) => key !== "BINARY");
const TIMES = ["DATE", "TIMESTAMP", "TIMESTAMP_NTZ"];

/** Types with a cast to another that mostly succeeds. */
function castable(to: string): readonly string[] {
  // Java before 19 writes other floats with more digits than they need.
  if (to === "FLOAT") return ["FLOAT", "TINYINT", "SMALLINT", "STRING", "BOOLEAN"];
  if (NUMBERS.includes(to)) return [...NUMBERS, ...NUMBERS, "STRING", "BOOLEAN"];
  if (TIMES.includes(to)) return [...TIMES, ...TIMES, "STRING"];
  if (to === "STRING") return TEXTS;
  if (to === "BOOLEAN") return ["BOOLEAN", "INT", "DOUBLE", "STRING"];
  if (to === "BINARY") return ["STRING", "BINARY"];
  if (to.startsWith("ARRAY<") && !to.includes("STRUCT") && !to.includes("ARRAY<ARRAY")) {
    return ["ARRAY<INT>", "ARRAY<STRING>", "ARRAY<DOUBLE>"];
  }
  return [to];
}

const INFIX: Readonly<Record<string, string>> = {
  "==": "=",
  and: "AND",
  or: "OR",
  like: "LIKE",
  ilike: "ILIKE",
  rlike: "RLIKE",
  div: "DIV",
};

/** A call as Spark's SQL writes it. */
function callSql(name: string, args: readonly string[]): string {
  if (args.length === 2 && (INFIX[name] !== undefined || /^[^a-z]+$/.test(name))) {
    return `(${args[0]} ${INFIX[name] ?? name} ${args[1]})`;
  }
  switch (name) {
    case "negative":
      return `(- ${args[0]})`;
    case "not":
      return `(NOT ${args[0]})`;
    case "~":
    case "!":
      return `(${name} ${args[0]})`;
    case "isnull":
      return `(${args[0]} IS NULL)`;
    case "isnotnull":
      return `(${args[0]} IS NOT NULL)`;
    case "in":
      return args.length > 1 ? `(${args[0]} IN (${args.slice(1).join(", ")}))` : `(${args[0]} IN (NULL))`;
    case "when": {
      const pairs: string[] = [];
      for (let i = 0; i + 1 < args.length; i += 2) pairs.push(`WHEN ${args[i]} THEN ${args[i + 1]}`);
      return `CASE ${pairs.join(" ")}${args.length % 2 === 1 ? ` ELSE ${args.at(-1)}` : ""} END`;
    }
    case "like":
    case "ilike":
      return `(${args[0]} ${name.toUpperCase()} ${args[1]} ESCAPE ${args[2]})`;
    default:
      return `${name}(${args.join(", ")})`;
  }
}

export { keyOf };

/** Smaller expressions to try in place of one that differs: its parts, and itself with a part made simple. */
export function smaller(tree: Tree, schema: StructType): Tree[] {
  const found: Tree[] = [];
  const visit = (node: Tree, put: (n: Tree) => Tree): void => {
    for (const part of node.parts) if (part.type !== "") found.push(part);
    for (const [i, part] of node.parts.entries()) {
      const put1 = (n: Tree): Tree => put({ ...node, parts: node.parts.map((p, k) => (k === i ? n : p)) });
      if (part.parts.length > 0) {
        for (const column of columnsByType(schema).get(part.type)?.slice(0, 2) ?? []) {
          found.push(put1(leaf(part.type, column)));
        }
        const type = POOL.get(part.type);
        if (type) for (const sql of literalsOf(type).slice(0, 2)) found.push(put1(leaf(part.type, sql)));
        for (const inner of part.parts) if (inner.type === part.type) found.push(put1(inner));
      }
      visit(part, put1);
    }
  };
  visit(tree, (n) => n);
  const length = sqlOf(tree).length;
  const seen = new Set<string>();
  return found
    .map((t) => ({ t, sql: sqlOf(t) }))
    .filter(({ sql }) => sql.length < length && !seen.has(sql) && seen.add(sql))
    .sort((a, b) => a.sql.length - b.sql.length)
    .slice(0, 60)
    .map(({ t }) => t);
}
