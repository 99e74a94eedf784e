import type { ColumnInfo } from "../../../src/observe/api-explore.ts";
import { Badge, Panel } from "../ui/parts.tsx";
import { Scroll } from "../ui/scroll.tsx";

/** The schema of a table. */
export function Columns({
  columns,
  partitionBy = [],
}: {
  columns: readonly ColumnInfo[];
  partitionBy?: readonly string[];
}) {
  return (
    <Panel title="Columns" aside={`${columns.length}`}>
      <Scroll label="Columns">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col">May be null</th>
            </tr>
          </thead>
          <tbody>
            {columns.map((c) => (
              <tr key={c.name}>
                <th scope="row">
                  {c.name} {partitionBy.includes(c.name) && <Badge tone="accent">partition</Badge>}
                </th>
                <td class="mono wrap">{c.type}</td>
                <td>{c.nullable ? "yes" : "no"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}
