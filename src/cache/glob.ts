/** Whether `text` matches a pattern of Redis' KEYS and SCAN: `*`, `?`, `[a-c]`, `[^a]`, and `\` before a literal character. */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starP = -1;
  let starT = 0;
  while (t < text.length) {
    const next = pattern[p] === "*" ? -1 : matchOne(pattern, p, text.charCodeAt(t));
    if (next > 0) {
      p = next;
      t++;
    } else if (next === -1) {
      starP = ++p;
      starT = t;
    } else if (starP >= 0) {
      // Only the last star needs to be tried again: what the earlier ones took cannot matter any more.
      p = starP;
      t = ++starT;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Where the pattern goes on when its element at `p` accepts the character; 0 when it does not. */
function matchOne(pattern: string, p: number, code: number): number {
  const c = pattern[p];
  if (c === undefined) return 0;
  if (c === "?") return p + 1;
  if (c === "\\" && p + 1 < pattern.length) return pattern.charCodeAt(p + 1) === code ? p + 2 : 0;
  if (c !== "[") return pattern.charCodeAt(p) === code ? p + 1 : 0;
  let at = p + 1;
  const negated = pattern[at] === "^";
  if (negated) at++;
  let found = false;
  while (at < pattern.length && pattern[at] !== "]") {
    if (pattern[at] === "\\" && at + 1 < pattern.length) at++;
    let low = pattern.charCodeAt(at++);
    let high = low;
    if (pattern[at] === "-" && at + 1 < pattern.length && pattern[at + 1] !== "]") {
      at++;
      if (pattern[at] === "\\" && at + 1 < pattern.length) at++;
      high = pattern.charCodeAt(at++);
      if (high < low) [low, high] = [high, low];
    }
    if (code >= low && code <= high) found = true;
  }
  return found !== negated ? Math.min(at + 1, pattern.length) : 0;
}
