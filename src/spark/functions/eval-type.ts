/** Kinds of Python functions, as the client names them to the server. */
export const EVAL_TYPE = {
  /** Single values in pickles. */
  batched: 100,
  /** A function over an iterator of series, 4.0 and later. */
  scalarPandasIter: 204,
  /** `mapInArrow`. */
  mapArrowIter: 207,
  /** `transformWithState` over rows, 4.1 and later. */
  transformWithStateRow: 213,
  /** A function over Arrow arrays, 4.1 and later. */
  scalarArrow: 250,
} as const;
