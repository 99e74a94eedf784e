import type { AnyRow, DataType, StructType, Value } from "../types/data-type.ts";
import type { Connector, Options, SinkBatch, SinkResult, StreamSink } from "./connector.ts";

/** Spark's `console` sink: prints the first rows of every batch as a table. */
export const consoleConnector: Connector = {
  name: "console",
  summary: "Prints the rows of every batch.",
  options: [
    { name: "numRows", for: ["sink"], type: "int", default: "20", doc: "Rows printed for each batch." },
    {
      name: "truncate",
      for: ["sink"],
      type: "string",
      default: "true",
      doc: "Cut values after 20 characters; a number cuts there, false never.",
    },
  ],
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "at-least-once",
    durability: "temporary",
    openStream: ({ options }) => new ConsoleSink(options),
  },
};

class ConsoleSink implements StreamSink {
  readonly description = "ConsoleSink";
  readonly #numRows: number;
  readonly #width: number;

  constructor(options: Options) {
    this.#numRows = Number(options.numRows ?? "20");
    const truncate = (options.truncate ?? "true").toLowerCase();
    this.#width = truncate === "true" ? 20 : truncate === "false" ? 0 : Number(truncate);
  }

  async lastBatch(): Promise<undefined> {
    return undefined;
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const rows: AnyRow[] = [];
    for await (const chunk of batch.rows()) {
      rows.push(...chunk.slice(0, this.#numRows + 1 - rows.length));
      if (rows.length > this.#numRows) break;
    }
    const line = "-".repeat(43);
    process.stdout.write(
      `${line}\nBatch: ${batch.id}\n${line}\n${formatRows(batch.schema, rows, this.#numRows, this.#width)}\n`,
    );
    return {};
  }

  async close(): Promise<void> {}
}

/** Rows as Spark's `show` prints them; `width` 0 leaves values whole. */
export function formatRows(schema: StructType, rows: readonly AnyRow[], numRows: number, width: number): string {
  const shown = rows.slice(0, numRows);
  const cut = (text: string): string => {
    if (width <= 0 || [...text].length <= width) return text;
    return width < 4 ? [...text].slice(0, width).join("") : `${[...text].slice(0, width - 3).join("")}...`;
  };
  const cells = [
    schema.fields.map((field) => cut(field.name)),
    ...shown.map((row) => schema.fields.map((field) => cut(showValue(row[field.name] ?? null, field.type)))),
  ];
  const widths = schema.fields.map((_, i) => Math.max(3, ...cells.map((row) => [...row[i]!].length)));
  const rule = `+${widths.map((w) => "-".repeat(w)).join("+")}+\n`;
  const pad = (text: string, w: number): string => {
    const space = " ".repeat(Math.max(0, w - [...text].length));
    return width > 0 ? space + text : text + space;
  };
  const [header, ...body] = cells.map((row) => `|${row.map((text, i) => pad(text, widths[i]!)).join("|")}|\n`);
  const more = rows.length > numRows ? `only showing top ${numRows} ${numRows === 1 ? "row" : "rows"}\n` : "";
  return `${rule}${header}${rule}${body.join("")}${rule}${more}`;
}

function showValue(value: Value, type: DataType): string {
  if (value === null) return "NULL";
  switch (type.kind) {
    case "timestamp":
    case "timestamp_ntz":
      return (value as Date)
        .toISOString()
        .replace("T", " ")
        .replace(/\.?0*Z$/, "")
        .replace(/Z$/, "");
    case "date":
      return (value as Date).toISOString().slice(0, 10);
    case "binary":
      return `[${[...(value as Uint8Array)].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ")}]`;
    case "float":
    case "double":
      return Number.isInteger(value) && Math.abs(value as number) < 1e7 ? `${value}.0` : String(value);
    case "array":
      return `[${(value as Value[]).map((item) => showValue(item, type.elementType)).join(", ")}]`;
    case "map":
      return `{${[...(value as Map<Value, Value>)].map(([k, v]) => `${showValue(k, type.keyType)} -> ${showValue(v, type.valueType)}`).join(", ")}}`;
    case "struct":
      return `{${type.fields.map((field) => showValue((value as AnyRow)[field.name] ?? null, field.type)).join(", ")}}`;
    default:
      return String(value);
  }
}
