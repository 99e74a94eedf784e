/** Back to what a fresh session has. */
export const RESET_SESSION = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; ";

/** SQL that gives a session these settings. */
export function setAll(settings: ReadonlyMap<string, string>): string {
  if (settings.size === 0) return "";
  const calls = [...settings].map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`);
  return `SELECT ${calls.join(", ")}`;
}

/** The settings that a startup packet asks for: its own entries and those in `options` (`-c name=value`). */
export function startupSettings(parameters: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (name === "options") for (const [n, v] of commandLine(value)) settings.set(n, v);
    else if (!NOT_SETTINGS.has(name) && !name.startsWith("_pq_.") && !isDefault(name, value)) settings.set(name, value);
  }
  return settings;
}

const NOT_SETTINGS = new Set(["user", "database", "replication"]);

/** The one setting that nearly every client sends, mostly at the server's default. */
function isDefault(name: string, value: string): boolean {
  return name === "client_encoding" && /^['"]?utf-?8['"]?$/i.test(value);
}

function commandLine(options: string): [string, string][] {
  const words = [...options.matchAll(/(?:\\.|[^\s\\])+/g)].map((m) => m[0].replace(/\\(.)/g, "$1"));
  const found: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    let word = words[i]!;
    if (word === "-c") word = words[++i] ?? "";
    else if (word.startsWith("--")) word = word.slice(2).replaceAll("-", "_");
    else if (word.startsWith("-c")) word = word.slice(2);
    const equals = word.indexOf("=");
    if (equals > 0) found.push([word.slice(0, equals), word.slice(equals + 1)]);
  }
  return found;
}

/** A text quoted for use in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name quoted for use in SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
