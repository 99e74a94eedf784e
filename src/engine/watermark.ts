/**
 * Spark's watermark clock: for each `withWatermark` the greatest event time seen minus its delay, and one global value over them
 * (the least by default) that only ever rises. Milliseconds throughout, as in Spark's files.
 * https://github.com/apache/spark/blob/master/sql/core/src/main/scala/org/apache/spark/sql/execution/streaming/runtime/WatermarkTracker.scala
 */
export class WatermarkTracker {
  readonly #delaysMs: readonly number[];
  readonly #policy: WatermarkPolicy;
  #perOperator: (number | undefined)[];
  #globalMs: number;

  constructor(delaysMs: readonly number[], policy: WatermarkPolicy) {
    this.#delaysMs = delaysMs;
    this.#policy = policy;
    this.#perOperator = delaysMs.map(() => undefined);
    this.#globalMs = 0;
  }

  get globalMs(): number {
    return this.#globalMs;
  }

  /** Whether the plan has a `withWatermark` at all. */
  get defined(): boolean {
    return this.#delaysMs.length > 0;
  }

  restore(saved: SavedWatermarks): void {
    this.#globalMs = saved.globalMs;
    this.#perOperator = this.#delaysMs.map((_, i) => saved.operators[i] ?? undefined);
  }

  save(): SavedWatermarks {
    return { globalMs: this.#globalMs, operators: this.#perOperator.map((value) => value ?? null) };
  }

  /**
   * What the clock will say after a batch that saw these greatest event times (undefined: no rows), without changing this tracker:
   * a batch that fails must not move it.
   */
  after(maxEventTimesMs: readonly (number | undefined)[]): SavedWatermarks {
    const operators = this.#delaysMs.map((delay, i) => {
      const known = this.#perOperator[i];
      const seen = maxEventTimesMs[i];
      if (seen === undefined) return known ?? 0;
      const value = seen - delay;
      return known === undefined || value > known ? value : known;
    });
    if (operators.length === 0) return { globalMs: this.#globalMs, operators };
    const chosen = this.#policy === "max" ? Math.max(...operators) : Math.min(...operators);
    return { globalMs: Math.max(this.#globalMs, chosen), operators };
  }
}

/** `spark.sql.streaming.multipleWatermarkPolicy`. */
export type WatermarkPolicy = "min" | "max";

export interface SavedWatermarks {
  readonly globalMs: number;
  /** Null where an operator has seen no row. */
  readonly operators: readonly (number | null)[];
}
