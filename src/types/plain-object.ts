/** Whether a value may stand for a struct: an object that is no array, Date, Map or bytes. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Map) &&
    !ArrayBuffer.isView(value)
  );
}
