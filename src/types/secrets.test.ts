import { expect, test } from "vitest";
import { hidePasswords, hideSecrets } from "./secrets.ts";

test.each([
  "password",
  "kafka.sasl.jaas.config",
  "kafka.ssl.keystore.key",
  "kafka.ssl.key.password",
  "accessKey",
  "fs.s3a.access.key",
  "apiKey",
  "Token",
])("%s is secret by its name", (name) => {
  expect(hideSecrets({ [name]: "hunter2" })).toEqual({ [name]: "***" });
});

test("what the connector calls secret is secret; other options are shown", () => {
  expect(hideSecrets({ URL: "hunter2", keyColumn: "k", subscribe: "t" }, ["url"])).toEqual({
    URL: "***",
    keyColumn: "k",
    subscribe: "t",
  });
});

test.each([
  ["postgres://me:pw@host:5432/db", "postgres://me:***@host:5432/db"],
  ["redis://:pw@host/0", "redis://:***@host/0"],
  ["postgres://me:p/w@1@host/db", "postgres://me:***@host/db"],
  ["jdbc:postgresql://host/db?user=me&password=pw&ssl=true", "jdbc:postgresql://host/db?user=me&password=***&ssl=true"],
  ["postgres://me:s3cret@host:5432/db", "postgres://me:***@host:5432/db"],
  ["postgres://me:p@ss/w@host/db", "postgres://me:***@host/db"],
  ["redis://:pw@host", "redis://:***@host"],
  ["postgres://host/db?user=me&password=pw&x=1", "postgres://host/db?user=me&password=***&x=1"],
  ["host=h password=pw dbname=d", "host=h password=*** dbname=d"],
  ["broker:9092", "broker:9092"],
  ["postgres://me@host/db", "postgres://me@host/db"],
  ["sc://host:15002/;token=pw;user_id=me", "sc://host:15002/;token=***;user_id=me"],
  ["h1:9092,h2:9092", "h1:9092,h2:9092"],
  ["http://host:80/path", "http://host:80/path"],
])("%s is shown as %s", (given, shown) => {
  expect(hidePasswords(given)).toBe(shown);
});
