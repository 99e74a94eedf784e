/** Where the value of a member stands in the text of its object. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The members of a JSON object as they were written: parsing and printing again would round integers beyond 2^53 and lose the writer's
 * spaces. The text must have been parsed by JSON.parse before: only what is valid is walked right.
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = blank(text, text.indexOf("{") + 1);
  while (text[at] !== "}") {
    const name = valueAt(text, at);
    const value = valueAt(text, blank(text, blank(text, name.to) + 1));
    members.set(JSON.parse(text.slice(name.from, name.to)) as string, text.slice(value.from, value.to));
    at = blank(text, value.to);
    if (text[at] === ",") at = blank(text, at + 1);
  }
  return members;
}

/** The elements of a JSON array as they were written. */
export function rawElements(text: string): string[] {
  const elements: string[] = [];
  let at = blank(text, text.indexOf("[") + 1);
  while (text[at] !== "]") {
    const value = valueAt(text, at);
    elements.push(text.slice(value.from, value.to));
    at = blank(text, value.to);
    if (text[at] === ",") at = blank(text, at + 1);
  }
  return elements;
}

function blank(text: string, at: number): number {
  let end = at;
  while (" \t\r\n".includes(text[end] ?? "x")) end++;
  return end;
}

/** The value that starts at `from`, which is no blank. */
function valueAt(text: string, from: number): Span {
  let at = from;
  let depth = 0;
  do {
    const c = text[at]!;
    if (c === '"') at = stringEnd(text, at);
    else if (c === "{" || c === "[") {
      depth++;
      at++;
    } else if (c === "}" || c === "]") {
      depth--;
      at++;
    } else if (depth > 0) at++;
    else while (at < text.length && !/[\s,\]}]/.test(text[at]!)) at++;
  } while (depth > 0);
  return { from, to: at };
}

function stringEnd(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}
