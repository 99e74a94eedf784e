import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { connectors } from "../src/connectors/index.ts";
import type { FunctionDef } from "../src/functions/define.ts";
import { GAPS, GRAMMAR } from "../src/functions/gaps.ts";
import { functions } from "../src/functions/index.ts";
import { sparkSink } from "../src/spark/formats.ts";
import type { ParityCase } from "../test/parity/case.ts";
import { writtenCases } from "../test/parity/cases/index.ts";
import { EVALUATION_ORDER, LEFT_OUT, NARROWED } from "../test/parity/random/special.ts";
import {
  JOINS,
  type Line,
  MISSING_TYPES,
  OUTPUT_MODES,
  RELATIONS,
  STREAMING,
  TRIGGERS,
  TYPES,
} from "./conformance-tables.ts";

// node scripts/run.mjs scripts/conformance.ts: writes docs/conformance.md from the function table, its gaps, the connectors and the cases
// of the parity suite. A test checks that the page is up to date.
const page = fileURLToPath(new URL("../docs/conformance.md", import.meta.url));

export async function conformancePage(): Promise<string> {
  const cases = await writtenCases();
  return `${[
    "# Conformance with Apache Spark",
    "",
    "Written by `npm run conformance`; do not edit by hand.",
    "",
    INTRO,
    "",
    ...functionSections(),
    ...knownSection(cases),
    ...generatedSection(),
    ...lineTable("Relations", "relation", Object.values(RELATIONS)),
    `Join types, on both: ${Object.values(JOINS).map(code).join(", ")}.`,
    "",
    ...lineTable("Types", "type", Object.values(TYPES)),
    MISSING_TYPES,
    "",
    ...formatSection(),
    ...streamingSections(cases),
  ].join("\n")}\n`;
}

const INTRO = `The embedded engine means what Apache Spark 4.2 means. The same programs run on a Spark Connect server by \`.remote(...)\` or
\`SPARK_REMOTE\`. \`npm run parity\` runs these on both and compares column names, types, nullability and values to the microsecond, or
the error class where both refuse:

- every function of the table below, by its example
- expressions, SQL queries and DataFrame programs over tables full of edge values (\`test/parity/cases/\`)
- streaming queries: the output rows, watermark, state and dropped rows of every batch
- generated expressions and plans: \`npm run parity -- --random 5000 --seed 1\`

SQL runs in three ways, as its own text on Spark, on Spark as Millrace's parser and encoder send it, and embedded; all three have to agree.
Column names that Spark makes up are compared for its own text only. Of generated cases that fail on a value, any two classes of
such failures count as the same, as neither engine says in which order it computes. Where Spark fails on a value without an error class,
with a bare Java exception ("long overflow"), any error of the embedded engine on a value counts as the same. A generated plan that
fails on a value in one of them is left out, as the optimizers decide what is computed at all. What differs and is not listed here is a
bug.`;

// ------------------------------------------------------------------------------------------------------------------ functions

function functionSections(): string[] {
  const callable = [...functions.values()].filter((f) => !f.internal);
  const families = Map.groupBy(callable, (f) => f.family);
  const lines = ["## Functions", "", "On both engines, with the same results but for what the next table says.", ""];
  lines.push("| family | functions |", "|---|---|");
  for (const [family, list] of families) {
    lines.push(`| ${family} | ${list.map(named).sort().join(" ")} |`);
  }
  lines.push("", `Part of the grammar on both: ${GRAMMAR.map(code).join(" ")}.`, "");
  const differing = [...functions.values()].filter((f) => (f.differences ?? []).length > 0);
  lines.push("### Known differences", "");
  lines.push("| function | where the embedded engine differs |", "|---|---|");
  for (const f of differing) {
    for (const d of f.differences!) {
      lines.push(`| ${code(f.name)} | ${cell(d.reason)}${d.when === undefined ? "" : " (for some arguments)"} |`);
    }
  }
  lines.push("", "### On Spark only", "", "| family | functions | why |", "|---|---|---|");
  for (const gap of GAPS) lines.push(`| ${gap.family} | ${gap.names.map(code).join(" ")} | ${cell(gap.reason)} |`);
  lines.push("");
  return lines;
}

const named = (f: FunctionDef): string =>
  code(f.name) + (f.aliases.length > 0 ? ` (${f.aliases.map(code).join(", ")})` : "") + (f.differences ? "\\*" : "");

// -------------------------------------------------------------------------------------------------------------- known differences

/** Cases that are expected to differ; the suite fails when one of them agrees. */
function knownSection(cases: readonly ParityCase[]): string[] {
  const byReason = new Map<string, ParityCase[]>();
  for (const c of cases) {
    if (c.known === undefined) continue;
    const list = byReason.get(c.known) ?? [];
    list.push(c);
    byReason.set(c.known, list);
  }
  const lines = ["## Known differences of cases", ""];
  if (byReason.size === 0) return [...lines, "None.", ""];
  lines.push("| family | case | why the embedded engine differs |", "|---|---|---|");
  for (const [reason, list] of byReason) {
    const first = list[0]!;
    const label = first.name ?? ("sql" in first ? first.sql : "");
    const more = list.length > 1 ? `, and ${list.length - 1} more` : "";
    lines.push(`| ${first.family} | ${codeText(label)}${more} | ${cell(reason)} |`);
  }
  return [...lines, ""];
}

/** What generated cases leave out. */
function generatedSection(): string[] {
  const rows = (list: typeof LEFT_OUT): string[] => [
    "| functions | why |",
    "|---|---|",
    ...list.map(({ names, reason }) => `| ${names.map(code).join(" ")} | ${cell(reason)} |`),
    "",
  ];
  return [
    "## Generated cases",
    "",
    "A generated case is expected to differ for one reason only, and the suite makes sure of it case by case:",
    `${EVALUATION_ORDER} Where that part is written as a null, both engines have to agree again, on the value that the one had already.`,
    "",
    "Not made, or made with chosen arguments (written cases may have them):",
    "",
    ...rows(LEFT_OUT),
    ...rows(NARROWED),
  ];
}

// ------------------------------------------------------------------------------------------------------------------- others

function lineTable(title: string, what: string, list: readonly Line[]): string[] {
  const lines = [`## ${title}`, "", `| ${what} | embedded | on Spark |`, "|---|---|---|"];
  for (const line of list)
    lines.push(`| ${cell(line.what)} | ${cell(line.embedded ?? "yes")} | ${cell(line.spark ?? "yes")} |`);
  return [...lines, ""];
}

function formatSection(): string[] {
  const lines = [
    "## Sources and sinks",
    "",
    "| format | source, embedded | source, on Spark | sink, embedded | sink, on Spark |",
    "|---|---|---|---|---|",
  ];
  for (const c of connectors) {
    const own =
      c.source === undefined
        ? ""
        : [c.source.openBatch && "batch", c.source.openStream && "stream"].filter(Boolean).join(", ");
    const modes = c.sink === undefined ? "" : c.sink.outputModes.join(", ");
    lines.push(
      `| ${code(c.name)} | ${own} | ${own === "" ? "" : (SPARK_SOURCES[c.name] ?? "Spark's own")} | ${modes} | ${sinkOnSpark(c.name, modes)} |`,
    );
  }
  return [...lines, ""];
}

/** Sources that Spark has not under that name. */
const SPARK_SOURCES: Readonly<Record<string, string>> = {
  "memory-stream": "no: its rows are in this process",
  postgres: "as Spark's `jdbc`",
};

function sinkOnSpark(format: string, modes: string): string {
  if (modes === "") return "";
  return sparkSink(format, {}, undefined, {}) === undefined ? "Millrace's own, behind foreachBatch" : "Spark's own";
}

function streamingSections(cases: readonly ParityCase[]): string[] {
  const streams = cases.filter((c) => c.kind === "stream");
  const families = Map.groupBy(streams, (c) => c.family);
  return [
    ...lineTable("Triggers", "trigger", Object.values(TRIGGERS)),
    ...lineTable("Output modes", "mode", Object.values(OUTPUT_MODES)),
    ...lineTable("Streaming rules", "rule", STREAMING),
    "### Compared batch by batch",
    "",
    ...[...families].flatMap(([family, list]) => [
      `- ${family}: ${list.map((c) => c.name + (c.known === undefined ? "" : " (differs)")).join("; ")}`,
    ]),
  ];
}

const code = (text: string): string => codeText(text);
const codeText = (text: string): string => {
  const escaped = text.replaceAll("|", "\\|").replaceAll("\n", " ");
  return text.includes("`") ? `\`\` ${escaped} \`\`` : `\`${escaped}\``;
};
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, await conformancePage());
}
