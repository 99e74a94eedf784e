/** How long clients may keep others waiting, in milliseconds. */
export interface Limits {
  /** A client that keeps a transaction open without using it for this long while others wait is disconnected; default 5,000. */
  readonly idleInTransactionMs: number;
  /** A client that stops reading its rows for this long while others wait is disconnected; default 30,000. */
  readonly stalledWriteMs: number;
  /** How long a statement may go on after its client asked to cancel it; then the database is restarted. Default 1,000. */
  readonly cancelGraceMs: number;
}

export const DEFAULT_LIMITS: Limits = { idleInTransactionMs: 5_000, stalledWriteMs: 30_000, cancelGraceMs: 1_000 };
