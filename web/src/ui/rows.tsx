import type { ColumnInfo } from "../../../src/observe/api-explore.ts";
import * as f from "../format.ts";
import { Scroll } from "./scroll.tsx";

/** Rows of a table as they were read; wide ones scroll. */
export function Rows(props: { columns: readonly ColumnInfo[]; rows: readonly (readonly unknown[])[]; label: string }) {
  const { columns, rows, label } = props;
  return (
    <Scroll label={label}>
      <table class="rows">
        <caption class="sr">{label}</caption>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.name} scope="col">
                {c.name} <span class="type">{c.type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {columns.map((c, at) => (
                <td key={c.name} class={typeof row[at] === "number" ? "num" : "nowrap"}>
                  <Value value={row[at]} />
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
export function ObjectRows({ rows, label }: { rows: readonly Readonly<Record<string, unknown>>[]; label: string }) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <Rows
      label={label}
      columns={names.map((name) => ({ name, type: "", nullable: true }))}
      rows={rows.map((row) => names.map((name) => row[name]))}
    />
  );
}

const MOST = 200;

/** A value of a row; long ones are cut, the whole stands in the title. */
export function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <span class="cell-null">null</span>;
  const text = textOf(value);
  if (text.length <= MOST) return <>{text}</>;
  return <span title={text.slice(0, 4000)}>{text.slice(0, MOST)}…</span>;
}

/** Values of JSON, and those that a client makes of it: big integers, times, maps, bytes. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : f.exact(value);
  if (value instanceof Date) return value.toISOString().replace(/\.000Z$/, "Z");
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
