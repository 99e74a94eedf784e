/** A text as a regular expression that finds that text: the `RegExp.escape` of newer Node, where the oldest supported one has none. */
export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
