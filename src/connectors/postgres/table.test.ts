import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quoteIdentifier } from "../../types/duckdb-types.ts";
import { tableName } from "./table.ts";

describe("tableName", () => {
  it.each([
    ["delays", undefined, "delays"],
    ["Delays", undefined, "delays"],
    ["reporting.Delays", "reporting", "delays"],
    ['"Mixed Case".x', "Mixed Case", "x"],
    ['reporting."a.b"', "reporting", "a.b"],
    ['"say ""hi"""', undefined, 'say "hi"'],
  ])("reads %s as psql does", (given, schema, name) => {
    expect(tableName(given)).toMatchObject({ schema, name });
  });

  it.each(["", "a.b.c", "a b", "a.", ".a", '"a', "(select 1)  x"])("refuses %j", (given) => {
    expect(() => tableName(given)).toThrow(/The option dbtable is/);
  });

  it("finds any quoted name again", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (schema, name) => {
        expect(tableName(`${quoteIdentifier(schema)}.${quoteIdentifier(name)}`)).toMatchObject({ schema, name });
      }),
    );
  });
});
