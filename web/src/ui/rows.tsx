import type { ColumnInfo } from "../../../src/observe/api-explore.ts";
import * as f from "../format.ts";
import { Scroll } from "./scroll.tsx";

/** Rows of a table as they were read; wide ones scroll. */
export function Rows(props: {
  columns: readonly ColumnInfo[];
  rows: readonly (readonly unknown[])[];
  label: string;
  /** Scrolls within itself, under its headings. */
  tall?: boolean;
}) {
  const { columns, rows, label } = props;
  // Numbers stand at the right, with their heading.
  const classes = columns.map((_, at) => (rows.some((row) => isNumber(row[at])) ? "num" : "nowrap"));
  return (
    <Scroll label={label} class={props.tall === true ? "table-box tall" : "table-box"}>
      <table class="rows">
        <caption class="sr">{label}</caption>
        <thead>
          <tr>
            {columns.map((c, at) => (
              <th key={c.name} scope="col" class={classes[at]}>
                {c.name} <span class="type">{c.type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {columns.map((c, at) => (
                <td key={c.name} class={classes[at]}>
                  <Value value={row[at]} type={c.type} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** The same of objects, whose columns are the names that occur. */
export function ObjectRows(props: {
  rows: readonly Readonly<Record<string, unknown>>[];
  label: string;
  tall?: boolean;
}) {
  const { rows, label, tall = false } = props;
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <Rows
      label={label}
      tall={tall}
      columns={names.map((name) => ({ name, type: "", nullable: true }))}
      rows={rows.map((row) => names.map((name) => row[name]))}
    />
  );
}

const MOST = 200;

/** A value of a row; long ones are cut, the whole stands in the title. */
export function Value({ value, type = "" }: { value: unknown; type?: string }) {
  if (value === null || value === undefined) return <span class="cell-null">null</span>;
  const text = textOf(value, type);
  if (text.length <= MOST) return <>{text}</>;
  return <span title={text.slice(0, 4000)}>{text.slice(0, MOST)}…</span>;
}

/** Values of JSON, and those that a client makes of it: big integers, times, maps, bytes. */
export function textOf(value: unknown, type = ""): string {
  if (typeof value === "string") return type === "date" ? value.replace(/T00:00:00(\.0+)?Z$/, "") : withoutZeros(value);
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : f.exact(value);
  if (value instanceof Date) return withoutZeros(value.toISOString());
  if (typeof value === "object" && value !== null) {
    return JSON.stringify(value, (_, v) =>
      typeof v === "bigint"
        ? String(v)
        : v instanceof Map
          ? Object.fromEntries(v)
          : v instanceof Uint8Array
            ? `[${v.length} bytes]`
            : v,
    );
  }
  return String(value);
}

/** Fractions of a second that are none say nothing. */
function withoutZeros(text: string): string {
  return /^\d{4}-\d\d-\d\dT[\d:]+\.0+Z$/.test(text) ? text.replace(/\.0+Z$/, "Z") : text;
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}
