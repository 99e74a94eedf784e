import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type SparkVersion, sparkHome } from "../../services/spark.ts";
import { file_spark_connect, SparkConnectService } from "../../src/spark/proto/spark-connect_pb.ts";
import { given } from "../needs.ts";
import { full } from "../shared-spark.ts";

const exec = promisify(execFile);

/** What Spark's own Python client was generated from: `{ message: { field: "number type" }, enum: { value: number } }`. */
const PYTHON = `
import json
from google.protobuf.descriptor import FieldDescriptor as F
from pyspark.sql.connect.proto import base_pb2, commands_pb2, relations_pb2, expressions_pb2, types_pb2, common_pb2, catalog_pb2
names = {v: k[5:].lower() for k, v in vars(F).items() if k.startswith("TYPE_")}
found = {}
def kind(f):
    if f.message_type is not None:
        if f.message_type.GetOptions().map_entry:
            of = f.message_type.fields_by_name
            return "map<%s, %s>" % (kind(of["key"]), kind(of["value"]))
        return f.message_type.full_name
    return f.enum_type.full_name if f.enum_type is not None else names[f.type]
def many(f):
    return f.is_repeated if hasattr(f, "is_repeated") else f.label == F.LABEL_REPEATED
def enum(e):
    found[e.full_name] = {v.name: str(v.number) for v in e.values}
def message(m):
    found[m.full_name] = {
        f.name: "%d %s%s" % (f.number, "repeated " if many(f) and not kind(f).startswith("map<") else "", kind(f)) for f in m.fields
    }
    for n in m.nested_types: message(n)
    for e in m.enum_types: enum(e)
for module in (base_pb2, commands_pb2, relations_pb2, expressions_pb2, types_pb2, common_pb2, catalog_pb2):
    for m in module.DESCRIPTOR.message_types_by_name.values(): message(m)
    for e in module.DESCRIPTOR.enum_types_by_name.values(): enum(e)
    for s in module.DESCRIPTOR.services_by_name.values():
        for m in s.methods: found[m.full_name] = {"": "%s %s" % (m.input_type.full_name, m.output_type.full_name)}
print(json.dumps(found))
`;

type Found = Record<string, Record<string, string>>;

function kind(field: DescField): string {
  if (field.fieldKind === "map") {
    const value = field.mapKind === "scalar" ? scalar(field.scalar) : (field.message ?? field.enum)!.typeName;
    return `map<${scalar(field.mapKey)}, ${value}>`;
  }
  const repeated = field.fieldKind === "list" ? "repeated " : "";
  return `${repeated}${(field.message ?? field.enum)?.typeName ?? scalar(field.scalar!)}`;
}

const scalar = (type: ScalarType): string => ScalarType[type]!.toLowerCase();

/** Ours in the same form. */
function ours(): Found {
  const found: Found = {};
  const addEnum = (e: DescEnum): void => {
    found[e.typeName] = Object.fromEntries(e.values.map((v) => [v.name, `${v.number}`]));
  };
  const addMessage = (m: DescMessage): void => {
    found[m.typeName] = Object.fromEntries(m.fields.map((f) => [f.name, `${f.number} ${kind(f)}`]));
    m.nestedMessages.forEach(addMessage);
    m.nestedEnums.forEach(addEnum);
  };
  file_spark_connect.messages.forEach(addMessage);
  file_spark_connect.enums.forEach(addEnum);
  for (const m of SparkConnectService.methods) {
    found[`${SparkConnectService.typeName}.${m.name}`] = { "": `${m.input.typeName} ${m.output.typeName}` };
  }
  return found;
}

/** Every name of ours that Spark has otherwise, or not at all. */
async function differences(version: SparkVersion): Promise<string[] | undefined> {
  const spark = given(await sparkHome(version));
  if (spark === undefined) return undefined;
  const { stdout } = await exec(spark.python, ["-c", PYTHON], { maxBuffer: 64 << 20 });
  const theirs = JSON.parse(stdout) as Found;
  return Object.entries(ours()).flatMap(([name, fields]) =>
    theirs[name] === undefined
      ? [`${name} is not there`]
      : Object.entries(fields).flatMap(([field, is]) =>
          theirs[name]![field] === is ? [] : [`${name}.${field} is ${is} here and ${theirs[name]![field]} there`],
        ),
  );
}

test("our messages are Spark's: names, numbers and types", { timeout: 1_200_000 }, async ({ skip }) => {
  expect((await differences("4.2.0")) ?? skip()).toEqual([]);
});

test.skipIf(!full)(
  "Spark 4.0 has all but what came later, under the same numbers",
  { timeout: 1_200_000 },
  async ({ skip }) => {
    const found = (await differences("4.0.0")) ?? skip();
    expect(found.filter((text) => !/is not there$|and undefined there$/.test(text))).toEqual([]);
  },
);
