import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cell, GENERATED, table } from "./markdown.ts";

const src = fileURLToPath(new URL("../../src", import.meta.url));

/** What a page of the API shows: a class or interface with its members, bases first named last. */
interface Entry {
  readonly title: string;
  /** `file Name`; members of the first win. */
  readonly types: readonly string[];
}

const ENTRIES: Readonly<Record<string, readonly Entry[]>> = {
  "Sessions and queries": [
    { title: "SparkSession", types: ["session.ts SparkSession"] },
    { title: "SparkSession.builder()", types: ["session.ts SparkSessionBuilder"] },
    { title: "spark.conf", types: ["dataframe/runtime-config.ts RuntimeConfig"] },
    { title: "spark.catalog", types: ["dataframe/catalog.ts Catalog"] },
    { title: "spark.streams", types: ["session.ts StreamingQueryManager"] },
    { title: "StreamingQuery", types: ["backend.ts StreamingQueryHandle"] },
    { title: "StreamingQueryProgress", types: ["backend.ts StreamingQueryProgress"] },
  ],
  "Reading and writing": [
    { title: "spark.read", types: ["dataframe/reader.ts DataFrameReader", "dataframe/reader.ts Reader"] },
    { title: "spark.readStream", types: ["dataframe/reader.ts DataStreamReader", "dataframe/reader.ts Reader"] },
    {
      title: "df.write",
      types: [
        "dataframe/writer.ts DataFrameWriter",
        "dataframe/options.ts SinkOptions",
        "dataframe/options.ts WithOptions",
      ],
    },
    { title: "df.writeTo(table)", types: ["dataframe/writer.ts DataFrameWriterV2"] },
    {
      title: "df.writeStream",
      types: [
        "dataframe/stream-writer.ts DataStreamWriter",
        "dataframe/options.ts SinkOptions",
        "dataframe/options.ts WithOptions",
      ],
    },
  ],
  "Tables and columns": [
    { title: "DataFrame", types: ["dataframe/dataframe.ts DataFrame", "dataframe/actions.ts DataFrameActions"] },
    { title: "df.na", types: ["dataframe/na.ts DataFrameNaFunctions"] },
    { title: "df.groupBy(...)", types: ["dataframe/grouped.ts GroupedData"] },
    { title: "df.groupByKey(...)", types: ["dataframe/grouped.ts KeyValueGroupedDataset"] },
    { title: "Column", types: ["dataframe/column.ts Column"] },
    { title: "Window", types: ["dataframe/window.ts WindowSpec"] },
  ],
  "State in TypeScript": [
    { title: "StatefulProcessor", types: ["types/stateful.ts StatefulProcessor"] },
    { title: "StatefulProcessorHandle", types: ["types/stateful.ts StatefulProcessorHandle"] },
    { title: "ValueState", types: ["types/stateful.ts ValueState"] },
    { title: "ListState", types: ["types/stateful.ts ListState"] },
    { title: "MapState", types: ["types/stateful.ts MapState"] },
  ],
  "millrace/kafka": [{ title: "KafkaProducer", types: ["kafka/producer.ts KafkaProducer"] }],
  "millrace/client": [{ title: "LiveView", types: ["client/types.ts LiveView"] }],
  "millrace/testing": [
    { title: "MemoryStream", types: ["testing/memory-stream.ts MemoryStream"] },
    { title: "ManualClock", types: ["testing/manual-clock.ts ManualClock"] },
  ],
};

interface Member {
  readonly name: string;
  /** As it is called: `select(...cols)`, or only the name. */
  readonly call: string;
  readonly doc: string;
}

/** docs/api.md: names and first sentences of what is public, from the sources. */
export function apiPage(): string {
  const sections = Object.entries(ENTRIES).map(([group, entries]) => {
    const parts = entries.map(({ title, types }) => {
      const found = types.map(typeOf);
      const members = [...new Map(found.toReversed().flatMap((t) => t.members.map((m) => [m.name, m]))).values()];
      const rows = members.map((m) => [`\`${m.call.replaceAll("|", "\\|")}\``, cell(m.doc)]);
      return [`### ${title}`, found[0]!.doc, table(["", ""], rows)].filter((p) => p !== "").join("\n\n");
    });
    return `## ${group}\n\n${parts.join("\n\n")}`;
  });
  return `# The API in names

${GENERATED}

Names and meaning are PySpark's in camel case; what returns rows returns a promise. Types, errors and examples stand at each name in your editor. The functions over columns (\`col\`, \`avg\`, \`from_json\`, ...) are listed
under [Conformance](conformance.md).

${sections.join("\n\n")}
`;
}

/** `file Name`: the first sentence of a class or interface, and its members. */
export function typeOf(at: string): { doc: string; members: Member[] } {
  const [file, name] = at.split(" ") as [string, string];
  const text = readFileSync(join(src, file), "utf8");
  const head = new RegExp(
    `(?:/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\n)?(?:export )?(?:abstract )?(class|interface) ${name}\\b`,
  ).exec(text);
  if (head === null) throw new Error(`there is no ${name} in src/${file}`);
  const from = text.indexOf("{\n", head.index + head[0].length) + 2;
  const body = text.slice(from, text.indexOf("\n}", from));
  return { doc: firstSentence(head[1]), members: membersOf(body, head[2] === "interface") };
}

const NO_NAMES = new Set(
  "constructor declare protected private abstract return readonly async static override".split(" "),
);

/** Methods and properties of a class or interface: what stands two spaces from the left. */
function membersOf(body: string, isInterface: boolean): Member[] {
  const members = new Map<string, Member>();
  const pattern =
    /(?:^ {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^ {2}((?:static |async |get |readonly |override |\*)*)([A-Za-z]\w*)(\??)(?=[<(:?\s])/gm;
  for (const match of body.matchAll(pattern)) {
    const [whole, comment, , name] = match as unknown as [string, string | undefined, string, string];
    const rest = body.slice(match.index + whole.length);
    // Words before a private name, and setters.
    if (NO_NAMES.has(name) || (/^(?:get|set)$/.test(name) && rest.startsWith(" ")) || members.has(name)) continue;
    const call = /^(?:<|\()/.test(rest) && !whole.includes(" get ") ? `${name}(${parametersOf(rest)})` : name;
    const doc = firstSentence(comment);
    // A field of a class that nobody explains is there for other files.
    if (doc === "" && call === name && !isInterface) continue;
    members.set(name, { name, call, doc });
  }
  return [...members.values()];
}

/** Names of the parameters in the brackets that come next. */
function parametersOf(text: string): string {
  let at = 0;
  if (text.startsWith("<")) {
    for (let depth = 0; at < text.length; at++) {
      if (text[at] === "<") depth++;
      // The arrow of a function type closes nothing.
      else if (text[at] === ">" && text[at - 1] !== "=" && --depth === 0) break;
    }
    at++;
  }
  const names: string[] = [];
  let depth = 0;
  let current = "";
  for (; at < text.length; at++) {
    const c = text[at]!;
    if ("([{<".includes(c)) depth++;
    if (")]}".includes(c) || (c === ">" && text[at - 1] !== "=")) depth--;
    if (depth === 0) break;
    if (depth === 1 && c === ",") {
      names.push(current);
      current = "";
    } else if (!(depth === 1 && c === "(")) current += c;
  }
  names.push(current);
  return names
    .map((n) => /^\s*(\.{3})?(\w+)(\?)?(?=\s*[:=]|\s*\?|\s*$)/.exec(n))
    .flatMap((m) => (m === null ? [] : [`${m[1] ?? ""}${m[2]!.replace(/^_/, "")}${m[3] ?? ""}`]))
    .join(", ");
}

/** Of a comment, without its stars. */
function firstSentence(comment: string | undefined): string {
  const text = (comment ?? "")
    .replace(/^\s*\* ?/gm, "")
    .split(/\n\s*\n|^@|^```/m)[0]!
    .replace(/\s+/g, " ")
    .trim();
  return (/^.*?[^.](?:\.|:)(?=\s[A-Z`"[(]|$)/.exec(text)?.[0] ?? text).replace(/:$/, ".");
}
