/**
 * Kafka's deserializers, for `key.deserializer` and `value.deserializer` of a Kafka source: the names of their classes, whose types say
 * what the columns `key` and `value` hold. https://kafka.apache.org/documentation/#consumerconfigs_key.deserializer
 *
 * @example
 * const kafkaParams = { "bootstrap.servers": "localhost:9092", "value.deserializer": StringDeserializer };
 * const lines = spark.readStream.format("kafka").options(kafkaParams).option("subscribe", "lines").load(); // value is a string
 */
type Kafka<N extends string> = `org.apache.kafka.common.serialization.${N}Deserializer`;
const of = <N extends string>(name: N): Kafka<N> => `org.apache.kafka.common.serialization.${name}Deserializer`;

/** Text in UTF-8, or in what `key.deserializer.encoding` and `value.deserializer.encoding` say. */
export const StringDeserializer: Kafka<"String"> = of("String");
/** Bytes as they are: what a column is without a deserializer. */
export const ByteArrayDeserializer: Kafka<"ByteArray"> = of("ByteArray");
/** Two bytes, the higher first. */
export const ShortDeserializer: Kafka<"Short"> = of("Short");
/** Four bytes, the highest first. */
export const IntegerDeserializer: Kafka<"Integer"> = of("Integer");
/** Eight bytes, the highest first. */
export const LongDeserializer: Kafka<"Long"> = of("Long");
/** Four bytes of IEEE 754. */
export const FloatDeserializer: Kafka<"Float"> = of("Float");
/** Eight bytes of IEEE 754. */
export const DoubleDeserializer: Kafka<"Double"> = of("Double");
/** One byte, 0 or 1. */
export const BooleanDeserializer: Kafka<"Boolean"> = of("Boolean");
/** A UUID's text. */
export const UUIDDeserializer: Kafka<"UUID"> = of("UUID");

interface Values {
  string: string;
  uuid: string;
  bytearray: Uint8Array;
  bytes: Uint8Array;
  bytebuffer: Uint8Array;
  short: number;
  integer: number;
  int: number;
  long: bigint;
  float: number;
  double: number;
  boolean: boolean;
  void: never;
}
type LastPart<P extends string> = P extends `${string}.${infer T}` ? LastPart<T> : P;
type ShortName<D extends string> = Lowercase<LastPart<D>> extends `${infer N}deserializer` ? N : Lowercase<LastPart<D>>;
/** What a column holds under the deserializer `D`; any where its name is known only at run time. */
type Deserialized<D> = D extends string
  ? string extends D
    ? any
    : ShortName<D> extends keyof Values
      ? Values[ShortName<D>] | null
      : any
  : any;

/** Rows of a Kafka source as its options `O` make them: `key` and `value` deserialized, `headers` added. */
export type WithReaderOptions<R, O> = 0 extends 1 & R
  ? any
  : R extends { key: unknown; value: unknown; topic: string; offset: bigint }
    ? {
        [K in keyof R | HeadersOf<O>]: K extends "headers"
          ? { key: string | null; value: Uint8Array | null }[] | null
          : K extends "key" | "value"
            ? `${K}.deserializer` extends keyof O
              ? Deserialized<O[`${K}.deserializer` & keyof O]>
              : R[K]
            : R[K & keyof R];
      }
    : R;
type HeadersOf<O> = O extends { readonly includeHeaders: true | "true" } ? "headers" : never;
