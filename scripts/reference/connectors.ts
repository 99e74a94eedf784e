import type { Connector, OptionSpec } from "../../src/connectors/connector.ts";
import { connectors } from "../../src/connectors/index.ts";
import { cell } from "./markdown.ts";

/**
 * Fills the tables of options in docs/connectors.md from the connectors themselves: what stands between `<!-- options NAME -->` and
 * `<!-- end -->`.
 */
export function withOptionTables(text: string): string {
  return text.replace(
    /(<!-- options (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_all, begin: string, name: string, end: string) => {
      const connector = connectors.find((c) => c.name === name);
      if (connector === undefined)
        throw new Error(`docs/connectors.md names the connector ${name}, which does not exist`);
      return `${begin}${table(connector)}\n${end}`;
    },
  );
}

function table(connector: Connector): string {
  const rows = connector.options.map(
    (o) => `| \`${o.name}\` | ${o.for.join(", ")} | ${defaultOf(o)} | ${cell(o.doc)}${valuesOf(o)} |`,
  );
  return ["| option | for | default | |", "|---|---|---|---|", ...rows].join("\n");
}

function defaultOf(option: OptionSpec): string {
  const parts = [];
  if (option.env !== undefined) parts.push(`\`$${option.env}\``);
  if (option.default !== undefined) parts.push(`\`${option.default}\``);
  if (parts.length === 0 && option.required) parts.push("required");
  return parts.join(", else ");
}

function valuesOf(option: OptionSpec): string {
  return option.values === undefined ? "" : ` One of ${option.values.map((v) => `\`${v}\``).join(", ")}.`;
}
