/** A function that Spark has built in and the embedded engine has not. It still runs on Apache Spark. */
export interface Gap {
  readonly family: string;
  readonly names: readonly string[];
  /** Why it is not there, one sentence. */
  readonly reason: string;
}

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Every built-in of Spark 4.2 that is not in the function table, by family. Listed in docs/conformance.md too. */
export const GAPS: readonly Gap[] = [
  {
    family: "session",
    names: words("current_catalog current_database current_schema current_user session_user user version"),
    reason: "They tell of the session and its server, not of data; spark.catalog and spark.version tell it too.",
  },
  {
    family: "string",
    names: words("sentences"),
    reason: "Where words and sentences end is in Java's own tables of languages.",
  },
  {
    family: "rows",
    names: words("monotonically_increasing_id"),
    reason: "Its values are made of Spark's partitions; use row_number or uuid.",
  },
  {
    family: "grouping",
    names: words("grouping grouping_id"),
    reason: "They are there in ROLLUP, CUBE and GROUPING SETS, which know them without the table.",
  },
  {
    family: "aggregate",
    names: words("histogram_numeric"),
    reason: "Its bins depend on the order in which rows are merged, so two runs of Spark do not agree either.",
  },
  {
    family: "vector",
    names: words("vector_avg vector_sum"),
    reason: "Sums of vectors of floats, new in Spark 4.2 and rarely met in pipelines.",
  },
  {
    family: "sketch",
    names: words(`
      approx_top_k approx_top_k_accumulate approx_top_k_combine approx_top_k_estimate count_min_sketch hll_sketch_agg
      hll_sketch_estimate hll_union hll_union_agg kll_merge_agg_bigint kll_merge_agg_double kll_merge_agg_float
      kll_sketch_agg_bigint kll_sketch_agg_double kll_sketch_agg_float kll_sketch_get_n_bigint kll_sketch_get_n_double
      kll_sketch_get_n_float kll_sketch_get_quantile_bigint kll_sketch_get_quantile_double kll_sketch_get_quantile_float
      kll_sketch_get_rank_bigint kll_sketch_get_rank_double kll_sketch_get_rank_float kll_sketch_merge_bigint
      kll_sketch_merge_double kll_sketch_merge_float kll_sketch_to_string_bigint kll_sketch_to_string_double
      kll_sketch_to_string_float theta_difference theta_intersection theta_intersection_agg theta_sketch_agg theta_sketch_estimate
      theta_union theta_union_agg tuple_difference_double tuple_difference_integer tuple_difference_theta_double
      tuple_difference_theta_integer tuple_intersection_agg_double tuple_intersection_agg_integer tuple_intersection_double
      tuple_intersection_integer tuple_intersection_theta_double tuple_intersection_theta_integer tuple_sketch_agg_double
      tuple_sketch_agg_integer tuple_sketch_estimate_double tuple_sketch_estimate_integer tuple_sketch_summary_double
      tuple_sketch_summary_integer tuple_sketch_theta_double tuple_sketch_theta_integer tuple_union_agg_double
      tuple_union_agg_integer tuple_union_double tuple_union_integer tuple_union_theta_double tuple_union_theta_integer`),
    reason: "Their values are the bytes of Apache DataSketches, which are of use to the same library only.",
  },
  {
    family: "variant",
    names: words(`
      is_valid_variant is_variant_null parse_json schema_of_variant schema_of_variant_agg to_variant_object try_parse_json
      try_variant_get variant_explode variant_explode_outer variant_get`),
    reason: "There is no VARIANT type; get_json_object and from_json read JSON.",
  },
  {
    family: "time of day",
    names: words(`
      current_time make_time time time_bucket time_diff time_from_micros time_from_millis time_from_seconds time_to_micros
      time_to_millis time_to_seconds time_trunc to_time try_to_time`),
    reason: "There is no TIME type.",
  },
  {
    family: "xml",
    names: words(`
      from_xml schema_of_xml to_xml xpath xpath_boolean xpath_double xpath_float xpath_int xpath_long xpath_number xpath_short
      xpath_string`),
    reason: "DuckDB reads no XML, and what Spark takes of it is that of Java's parser.",
  },
  {
    family: "avro and protobuf",
    names: words("from_avro from_protobuf schema_of_avro to_avro to_protobuf"),
    reason: "The formats need schemas from files or a registry; decode them in a TypeScript function.",
  },
  {
    family: "session window",
    names: ["session_window"],
    reason: "Its windows grow and merge as rows come; transformWithState keeps sessions.",
  },
  {
    family: "collation",
    names: words("collate collation collations"),
    reason: "Text is compared by its bytes; there are no collated types.",
  },
  {
    family: "geospatial",
    names: words("st_asbinary st_geogfromwkb st_geomfromwkb st_setsrid st_srid"),
    reason: "There are no GEOMETRY and GEOGRAPHY types.",
  },
  {
    family: "Spark's own processes",
    names: words(`
      current_path input_file_block_length input_file_block_start input_file_name java_method measure python_worker_logs reflect
      spark_partition_id sql_keywords table_changes table_changes_by_path try_reflect`),
    reason: "They speak of Java, of Spark's partitions and workers, or of catalogs that are not here.",
  },
];

/** Names of Spark's list that its grammar takes, or the analyser; they are here and need no row of the table. */
export const GRAMMAR: readonly string[] = words("!= <> || between case cast extract range struct window");
