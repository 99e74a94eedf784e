import type { Conf } from "../backend.ts";

const DEFAULTS: Readonly<Record<string, string>> = {
  "spark.sql.ansi.enabled": "true",
  "spark.sql.caseSensitive": "false",
  "spark.sql.session.timeZone": "UTC",
  "spark.sql.sources.default": "parquet",
  "spark.sql.warehouse.dir": "spark-warehouse",
};
/** Settings of a process, not of a session. */
const STATIC = new Set(["spark.sql.warehouse.dir", "spark.sql.extensions", "spark.sql.catalogImplementation"]);

/** Settings by Spark's names. */
export class RuntimeConfig {
  readonly #values = new Map<string, string>();

  /** Sets a value; queries that run keep the one they started with. */
  set(name: string, value: string | number | boolean): void {
    this.#values.set(name, String(value));
  }
  /** The value, `fallback`, or the default of a setting that Millrace knows; undefined where there is none. */
  get(name: string, fallback?: string): string | undefined {
    return this.#values.get(name) ?? fallback ?? DEFAULTS[name];
  }
  /** Goes back to the default. */
  unset(name: string): void {
    this.#values.delete(name);
  }
  /** All that is set. */
  getAll(): Readonly<Record<string, string>> {
    return this.values();
  }
  /** Whether a setting counts when it is changed in a running session. */
  isModifiable(name: string): boolean {
    return name.startsWith("spark.sql.") && !STATIC.has(name);
  }
  /** All that is set. */
  values(): Conf {
    return Object.freeze(Object.fromEntries(this.#values));
  }
}
