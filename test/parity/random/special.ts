/**
 * Arguments that are no free values: patterns, units, zones, lengths that would fill the memory, and what Spark wants to be constant.
 * By function and position.
 */
export const FIXED: Readonly<Record<string, Readonly<Record<number, readonly string[]>>>> = {
  round: { 1: ["0", "1", "-1", "2"] },
  bround: { 1: ["0", "1", "-1"] },
  ceil: { 1: ["0", "1"] },
  floor: { 1: ["0", "1"] },
  conv: { 1: ["10", "16", "2"], 2: ["10", "16", "36"] },
  width_bucket: { 3: ["5"] },
  pow: { 1: ["2D", "0.5D", "-1D", "0D"] },
  shiftleft: { 1: ["1", "5"] },
  shiftright: { 1: ["1", "5"] },
  substring: { 1: ["1", "-2", "0", "3"], 2: ["2", "0", "100"] },
  left: { 1: ["2", "0", "-1"] },
  right: { 1: ["2", "0", "-1"] },
  lpad: { 1: ["5", "0", "2"], 2: ["'*'", "'ab'", "''"] },
  rpad: { 1: ["5", "0", "2"], 2: ["'*'", "'ab'", "''"] },
  repeat: { 1: ["2", "0", "-1"] },
  space: { 0: ["3", "0", "-1"] },
  overlay: { 2: ["2", "1"], 3: ["1", "3"] },
  levenshtein: { 2: ["2", "0"] },
  locate: { 2: ["1", "2"] },
  split: { 1: ["','", "'[ab]'", "' '", "''"], 2: ["-1", "2", "0"] },
  split_part: { 1: ["','", "'.'"], 2: ["1", "2", "-1"] },
  substring_index: { 1: ["','", "'a'"], 2: ["1", "2", "-1"] },
  like: { 1: ["'%a%'", "'_'", "'a%'", "''"], 2: ["'\\\\'"] },
  ilike: { 1: ["'%A%'", "'_'", "'s%l'"], 2: ["'\\\\'"] },
  rlike: { 1: ["'[a-c]+'", "'^.'", "'\\\\d'"] },
  regexp_extract: { 1: ["'([a-z]+)(\\\\d*)'", "'(.)(.)'"], 2: ["0", "1", "2"] },
  regexp_extract_all: { 1: ["'([a-z])([a-z])?'"], 2: ["0", "1"] },
  regexp_replace: { 1: ["'[aeiou]'", "'(.)b'", "' +'"], 2: ["'-'", "'$1'", "''"], 3: ["1"] },
  regexp_count: { 1: ["'[a-c]'", "'.'"] },
  regexp_substr: { 1: ["'[a-c]+'"] },
  regexp_instr: { 1: ["'[a-c]+'"], 2: ["0"] },
  translate: { 1: ["'abc'", "'é'"], 2: ["'12'", "''"] },
  encode: { 1: ["'UTF-8'", "'UTF-16BE'"] },
  decode: { 1: ["'UTF-8'"] },
  format_number: { 1: ["0", "2", "4"] },
  format_string: { 0: ["'%s'", "'<%s>'"] },
  sha2: { 1: ["256", "512", "0"] },
  date_format: { 1: ["'yyyy-MM-dd HH:mm:ss.SSSSSS'", "'dd/MM/yy'", "'EEE MMM d'", "'D a h'"] },
  to_timestamp: { 1: ["'yyyy-MM-dd HH:mm:ss'", "'yyyy-MM-dd'"] },
  try_to_timestamp: { 1: ["'yyyy-MM-dd HH:mm:ss'", "'dd/MM/yyyy'"] },
  to_date: { 1: ["'yyyy-MM-dd'", "'dd/MM/yyyy'"] },
  try_to_date: { 1: ["'yyyy-MM-dd'", "'dd/MM/yyyy'"] },
  to_unix_timestamp: { 1: ["'yyyy-MM-dd HH:mm:ss'"] },
  unix_timestamp: { 1: ["'yyyy-MM-dd HH:mm:ss'", "'yyyy-MM-dd'"] },
  from_unixtime: { 1: ["'yyyy-MM-dd HH:mm:ss'", "'yyyy'"] },
  trunc: { 1: ["'month'", "'year'", "'quarter'", "'week'", "'no'"] },
  date_trunc: { 0: ["'hour'", "'month'", "'week'", "'millisecond'", "'day'"] },
  date_part: { 0: ["'year'", "'dow'", "'seconds'"] },
  next_day: { 1: ["'Mon'", "'fri'"] },
  add_months: { 1: ["1", "-13", "0"] },
  date_add: { 1: ["1", "-40", "0"] },
  date_sub: { 1: ["1", "-40", "0"] },
  months_between: { 2: ["true", "false"] },
  make_date: { 0: ["2020", "1969", "0"], 1: ["2", "12", "13"], 2: ["29", "31", "1"] },
  from_utc_timestamp: { 1: ["'Europe/Berlin'", "'America/New_York'", "'+05:30'"] },
  to_utc_timestamp: { 1: ["'Europe/Berlin'", "'America/New_York'", "'+05:30'"] },
  date_from_unix_date: { 0: ["0", "18000", "-1"] },
  timestamp_micros: { 0: ["0", "1582979696", "-1"] },
  timestamp_seconds: { 0: ["0", "1582979696", "-1"] },
  array_repeat: { 1: ["2", "0", "-1"] },
  slice: { 1: ["1", "2", "-2"], 2: ["2", "0"] },
  sequence: { 0: ["1", "5"], 1: ["4", "0"], 2: ["1"] },
  element_at: { 1: ["1", "-1", "5"] },
  try_element_at: { 1: ["1", "-1", "5"] },
  array_join: { 1: ["','", "''"], 2: ["'null'"] },
  array_insert: { 1: ["1", "-1", "3"] },
  sort_array: { 1: ["true", "false"] },
  str_to_map: { 1: ["','"], 2: ["'='"] },
  get_json_object: { 1: ["'$.a'", "'$.a.b'", "'$[0]'", "'$.c[1]'"] },
  json_tuple: { 1: ["'a'"], 2: ["'b'"] },
  from_json: {
    0: ['\'{"a":1,"b":"x"}\'', "'{\"a\":1.5}'", '\'{"b":2,"c":[1]}\'', "'[{\"a\":3}]'", "'{\"a\":'", "''", "'null'"],
    1: ["'a INT, b STRING'", "'a DOUBLE, b DOUBLE'"],
  },
  from_csv: { 1: ["'a STRING, b INT'"] },
  parse_url: { 1: ["'HOST'", "'QUERY'"] },
  schema_of_json: { 0: ["'[1, 2.5]'", "'x'", "'true'"] },
  schema_of_csv: { 0: ["'1,abc'", "'2020-01-01,1.5'"] },
  mask: { 1: ["'X'"], 2: ["'x'"], 3: ["'n'"] },
  max_by: { 1: ["id"] },
  min_by: { 1: ["id"] },
  mode: { 1: ["true"] },
  percentile: { 1: ["0.5D", "0.1D"], 2: ["1"] },
  percentile_approx: { 1: ["0.5D", "0D"], 2: ["100"] },
  approx_count_distinct: { 1: ["0.05D"] },
  string_agg: { 1: ["','"] },
  ntile: { 0: ["2", "3"] },
  lag: { 1: ["1", "2"] },
  lead: { 1: ["1", "-1"] },
  nth_value: { 1: ["1", "2"] },
  first: { 1: ["true", "false"] },
  last: { 1: ["true", "false"] },
  any_value: { 1: ["true"] },
  to_number: { 1: ["'999'"] },
  to_char: { 1: ["'999'"] },
  to_binary: { 1: ["'hex'", "'utf-8'"] },
  factorial: { 0: ["3", "5", "20", "21"] },
  bit_get: { 1: ["0", "3"] },
  hypot: {},
};

/** Functions whose further arguments are another function's business: so many are made. */
export const MOST_ARGUMENTS: Readonly<Record<string, number>> = {
  decode: 2,
  from_json: 2,
  from_csv: 2,
  to_json: 1,
  to_csv: 1,
  schema_of_json: 1,
};

/** Functions with so many arguments at least. */
export const FEWEST_ARGUMENTS: Readonly<Record<string, number>> = { mode: 2, unix_timestamp: 1 };

/** What is not made, and why. */
export const LEFT_OUT: readonly { readonly names: readonly string[]; readonly reason: string }[] = [
  {
    names: ["current_timestamp", "current_date", "localtimestamp", "current_timezone", "unix_timestamp()"],
    reason: "Their values are those of the moment.",
  },
  {
    names: ["current_user", "current_database", "current_catalog", "session_user", "version"],
    reason: "Their values are those of the session.",
  },
  {
    names: ["uuid", "rand", "randn", "shuffle", "monotonically_increasing_id"],
    reason: "They give another value each time.",
  },
  { names: ["assert_true", "raise_error"], reason: "They stop the query by design." },
  {
    names: ["make_interval", "try_make_interval", "make_dt_interval", "make_ym_interval", "add_year_month_interval"],
    reason: "Intervals are no type of the generator's; the legacy one cannot leave Spark.",
  },
  {
    names: ["dateadd", "timestampdiff", "timestampadd"],
    reason: "Their first argument is a word, not a value.",
  },
  {
    names: ["window_time", "window", "session_window", "grouping", "grouping_id", "stack"],
    reason: "They need more of a query than values.",
  },
  {
    names: ["reduce", "map_zip_with"],
    reason: "Of the functions with lambdas these are `aggregate` by another name, and `zip_with` over maps.",
  },
  { names: ["collect_set"], reason: "The order of its result is free in Spark." },
  { names: ["named_struct", "struct"], reason: "They are made as values of their type." },
];

/** Made apart from the function table. */
const APART = [
  "zip_with",
  "transform_keys",
  "transform",
  "filter",
  "exists",
  "forall",
  "aggregate",
  "map_filter",
  "transform_values",
];

export const SKIPPED: ReadonlySet<string> = new Set([
  ...LEFT_OUT.flatMap((l) => l.names).filter((name) => !name.endsWith("()")),
  ...APART,
  "__script_value",
]);

/** What generated cases are kept from by the choice of their arguments, where the results would be open. */
export const NARROWED: readonly { readonly names: readonly string[]; readonly reason: string }[] = [
  {
    names: ["from_json"],
    reason:
      "Of a name that an object has twice another value counts, as the table of functions says; so the objects are given.",
  },
  {
    names: ["max_by", "min_by"],
    reason: "Of rows with the same extreme Spark may take any, so they are ordered by `id`.",
  },
  {
    names: ["+", "-", "try_add", "try_subtract", "date_add", "date_sub"],
    reason:
      "A date past the end of the calendar is an overflow here; in Spark the number of its day wraps around unseen. Few days are added.",
  },
  {
    names: ["cast"],
    reason:
      "Bytes that are no UTF-8 stay as they are in a text of Spark's; one of DuckDB's has U+FFFD there, so no binary is cast to a string.",
  },
  {
    names: ["cast"],
    reason:
      "Java before 19 does not write the shortest digits of a float, so few floats are made: of small numbers, booleans and texts.",
  },
  {
    names: ["levenshtein"],
    reason:
      "A threshold that is null gives null where Spark compiles the call, as here, and counts as 0 where it interprets it; it gets numbers.",
  },
  {
    names: ["timestamp_micros"],
    reason:
      "The last microseconds of a long are an overflow here, as DuckDB means infinity by them; it gets common ones.",
  },
  {
    names: ["approx_count_distinct"],
    reason:
      "It estimates by another hash than Spark's, so either may be off by one; it gets booleans, whose number is exact.",
  },
  {
    names: ["percentile_approx"],
    reason: "Where Spark puts a NaN among numbers depends on the order of the rows, so it gets no floating numbers.",
  },
  {
    names: ["hash", "xxhash64"],
    reason: "A double whose last digit differs, as of `csc`, has another hash, so their doubles are not computed.",
  },
  {
    names: ["try_to_binary", "try_aes_decrypt", "try_add", "try_subtract", "try_multiply", "try_divide", "try_mod"],
    reason:
      "What fails inside of an argument is null in Spark for the first two, and for the others where one is no number; here it fails. They get columns and literals.",
  },
  {
    names: ["mode"],
    reason: "Of values that are as frequent Spark may take any, so it is told which: `mode(x, true)`.",
  },
  {
    names: ["var_*", "stddev_*", "covar_*", "corr", "regr_*", "skewness", "kurtosis"],
    reason:
      "Over a window they get numbers below 1e77 only. The powers of larger ones have no double: without a window Spark has NaN then, and so has the embedded engine everywhere, but over a window Spark may have Infinity.",
  },
];

/** The types that a function's first argument may have. */
export const FIRST_ARGUMENT: Readonly<Record<string, readonly string[]>> = {
  approx_count_distinct: ["BOOLEAN"],
  percentile_approx: ["TINYINT", "INT", "BIGINT", "DECIMAL(10,2)", "DATE", "TIMESTAMP"],
};

const HASHES: ReadonlySet<string> = new Set(["hash", "xxhash64"]);
const SWALLOW: ReadonlySet<string> = new Set([
  "try_to_binary",
  "try_aes_decrypt",
  "try_add",
  "try_subtract",
  "try_multiply",
  "try_divide",
  "try_mod",
]);

/** Whether a function gets columns and literals only as arguments of a type; see NARROWED. */
export const isShallow = (name: string, type: string): boolean =>
  SWALLOW.has(name) || (HASHES.has(name) && /FLOAT|DOUBLE/.test(type));

/** Days that are added to a date. */
export const FEW_DAYS: readonly string[] = ["1", "-40", "0"];

const STATISTICS = /^(?:var_|stddev_|covar_|corr$|regr_|skewness$|kurtosis$)/;

/** Arguments of statistics over a window. */
export const MODERATE: readonly string[] = ["CAST(id AS DOUBLE)", "1.5D", "-2.5D", "0.1D", "CAST(id % 3 AS DOUBLE)"];
export const isStatistic = (name: string): boolean => STATISTICS.test(name);

/** Why an engine may fail where the other has a value. The suite makes sure of it: see `evaluationOrder`. */
export const EVALUATION_ORDER =
  "A part that fails is left out by one of the engines where the rest decides the result, such as a null beside it. Both leave parts out, but not always the same ones.";
