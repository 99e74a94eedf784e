/** Years of four digits, whose text DuckDB writes as Spark does. */
const DATES = "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'";
const TIMES = "BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'";

/** `+10000`, `0000`, `-0044`: years count on below 1, as in ISO 8601. */
const year = (x: string): string =>
  `CASE WHEN year(${x}) > 9999 THEN '+' WHEN year(${x}) < 0 THEN '-' ELSE '' END || printf('%04d', abs(year(${x})))`;

/** SQL of a date's text, `2020-02-29`. */
export const dateText = (x: string): string =>
  `CASE WHEN ${x} ${DATES} THEN CAST(${x} AS VARCHAR) ELSE ${year(x)} || strftime(${x}, '-%m-%d') END`;

/** SQL of the text of a time without a zone, `2020-02-29 12:34:56.789`. */
export const timestampText = (x: string): string =>
  `CASE WHEN ${x} ${TIMES} THEN CAST(${x} AS VARCHAR) ELSE ${year(x)} || strftime(${x}, '-%m-%d ') || CAST(CAST(${x} AS TIME) AS VARCHAR) END`;

/** SQL of its text in JSON, `2020-02-29T12:34:56.789`. */
export const isoText = (x: string): string =>
  `CASE WHEN ${x} ${TIMES} THEN strftime(${x}, '%Y-%m-%dT%H:%M:%S.%g') ELSE ${year(x)} || strftime(${x}, '-%m-%dT%H:%M:%S.%g') END`;
