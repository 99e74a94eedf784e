import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** llms.txt (https://llmstxt.org): what there is to read, for programs that read. The order and the groups are those of docs/README.md. */
export function llmsText(): string {
  const index = readFileSync(join(root, "docs/README.md"), "utf8");
  const lines = [
    "# Millrace",
    "",
    "> Real-time data pipelines in TypeScript: Kafka in, the meaning of Spark's Structured Streaming on DuckDB, exactly once into Delta Lake, PostgreSQL and Redis. The same program also runs on Apache Spark.",
    "",
    "Names and meaning are Spark's: what is true of PySpark's DataFrame API holds here, in camel case and with promises. `npx millrace plan FILE` checks a program without data.",
  ];
  const seen = new Set<string>();
  for (const section of index.split(/^## /m).slice(1)) {
    const title = section.slice(0, section.indexOf("\n"));
    const pages = [...section.matchAll(/\]\(([^)#]+\.md)\)/g)].map((match) => match[1]!);
    const fresh = pages.filter((page) => !seen.has(page));
    if (fresh.length === 0) continue;
    lines.push("", `## ${title}`, "");
    for (const page of fresh) {
      seen.add(page);
      lines.push(`- [${titleOf(page)}](docs/${page}): ${summaryOf(page)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const textOf = (page: string): string => readFileSync(join(root, "docs", page), "utf8");
const titleOf = (page: string): string => /^# (.+)$/m.exec(textOf(page))![1]!;

/** The first sentence below the heading; what is no prose is passed over. */
function summaryOf(page: string): string {
  const paragraphs = textOf(page)
    .replace(/^```[\s\S]*?^```/gm, "")
    .split(/\n{2,}/)
    .slice(1);
  const text = (paragraphs.find((p) => /^[\w`[*]/.test(p)) ?? "")
    .replaceAll("\n", " ")
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .trim();
  return /^.*?\.(?=\s|$)/.exec(text)?.[0] ?? text.replace(/:$/, ".");
}
