type Columns = readonly (readonly unknown[])[];
type Maker = (columns: Columns, count: number) => object[];

/** Wider rows than this are rare, and their makers would be long. */
const MOST_COLUMNS = 200;
const makers = new Map<string, Maker>();

/**
 * Objects with these fields from columns of values; of equal names the last counts. An object literal written out for the names makes
 * rows ten times as fast as assignments by name.
 */
export function makeObjects(names: readonly string[], columns: Columns, count: number): object[] {
  const key = JSON.stringify(names);
  let maker = makers.get(key);
  if (maker === undefined) {
    maker = (names.length <= MOST_COLUMNS ? compiled(names) : undefined) ?? assigning(names);
    if (makers.size >= 100) makers.clear();
    makers.set(key, maker);
  }
  return maker(columns, count);
}

/** Undefined where Node was told to make no code from text. */
function compiled(names: readonly string[]): Maker | undefined {
  const values = names.map((_, i) => `c${i}`).join(", ");
  // In brackets a field named `__proto__` is a field, not the prototype.
  const fields = names.map((name, i) => `[${JSON.stringify(name)}]: c${i}[i]`).join(", ");
  const body = `const [${values}] = columns; const out = new Array(count); for (let i = 0; i < count; i++) out[i] = { ${fields} }; return out;`;
  try {
    return new Function("columns", "count", body) as Maker;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function assigning(names: readonly string[]): Maker {
  return (columns, count) => {
    const out: object[] = new Array(count);
    for (let i = 0; i < count; i++) {
      const row: Record<string, unknown> = {};
      for (let k = 0; k < names.length; k++) {
        const value = columns[k]![i];
        if (names[k] !== "__proto__") row[names[k]!] = value;
        else Object.defineProperty(row, "__proto__", { value, enumerable: true, configurable: true, writable: true });
      }
      out[i] = row;
    }
    return out;
  };
}
