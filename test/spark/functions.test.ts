import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";

const exec = promisify(execFile);
const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/functions/${name}`, import.meta.url));

/** Runs a program as a user does, apart from the test runner, which rewrites imports; gives its lines of JSON. */
async function program(name: string, env: Record<string, string>): Promise<Record<string, any>[]> {
  const { stdout } = await exec(process.execPath, [fixture(name)], {
    env: { ...process.env, SPARK_REMOTE: "", ...env },
    maxBuffer: 64 << 20,
  });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("functions carried by value", () => {
  let out: Record<string, any>;
  beforeAll(async () => {
    [out] = (await program("capture.ts", {})) as [Record<string, any>];
  }, 60_000);

  test("do in another process what they do in their own", () => {
    expect(out).toMatchObject({
      constant: [0, ["ab", "12"], "1.234,50\u00a0€"],
      count: 1,
      closure: 1,
      map: { n: "2n", when: "1970-01-01T00:00:01.000Z" },
      cycle: true,
      recursion: [610, true, false],
      imported: [21, "b.txt", "a/b", "/x", "c/d"],
      namespace: 6,
      classes: ["12.57", "circle:3", 1, "square:3", true],
      privates: 1,
      moduleState: [1, 2],
      method: -8,
      generator: [0, 1, 2, 3],
      npm: [true, false],
      library: ["a", "b"],
      builtin: 4,
      async: "later",
      strict: true,
    });
  });

  test("keep the lines of the user's file", () => {
    expect(out.here).toMatch(/^capture\.ts:\d+:\d+\)$/);
    expect(out.location).toBe(out.here);
  });

  test.each([
    ["socket", "its variable `socket` holds a Socket"],
    ["nested", "its variable `usesClient -> context.deep.client` holds a Socket"],
    ["session", "its variable `spark` holds a SparkSession"],
    ["bound", "it is a bound function"],
    ["lexicalThis", "it is a function that uses `this` of what is around it"],
    ["meta", "it is a function that uses `import.meta` of what is around it"],
    ["dynamic", 'it is a function that imports "zod" while it runs'],
    ["promise", "its variable `p` holds a Promise"],
    ["privateInstance", "its variable `c` holds a Circle, whose private members cannot be copied"],
    ["weak", "its variable `m` holds a WeakMap"],
    ["proxy", "its variable `p` holds a Proxy"],
  ])("%s is refused with its reason", (name, why) => {
    expect(out[name]).toMatchObject({ code: "FUNCTION_NOT_PORTABLE" });
    expect(out[name].message).toContain(`Function \`${name}\` cannot be carried to a Spark cluster: ${why}. `);
  });
});

const server = given(await sharedSpark());

describe.skipIf(server === undefined)("TypeScript functions on a real Spark", () => {
  describe("the same program on both engines", () => {
    const results = new Map<string, { embedded: any; spark: any }>();
    beforeAll(async () => {
      const spark = await program("program.ts", { SPARK_REMOTE: server!.url });
      const embedded = new Map((await program("program.ts", {})).map(({ name, outcome }) => [name, outcome]));
      for (const { name, outcome } of spark) results.set(name, { embedded: embedded.get(name), spark: outcome });
    }, 400_000);

    test.each(
      "identity forms closure imports state flatMap mapBatch asyncMap filter empty ddl twice modes udfSelect udfFilter udfNested udfAggregate udfJoin udfOrder".split(
        " ",
      ),
    )("%s: the same rows", (name) => {
      const { embedded, spark } = results.get(name)!;
      expect(spark).toEqual(embedded);
      expect(embedded.rows).toBeDefined();
    });

    test.each("throws throwsInHelper udfThrows".split(" "))("%s: the same error, with the user's stack", (name) => {
      const { embedded, spark } = results.get(name)!;
      expect(embedded.code).toBe("USER_FUNCTION_FAILED");
      expect({ ...spark, cause: undefined }).toEqual({ ...embedded, cause: undefined });
      const places = (stack: string) => stack.match(/program\.ts:\d+:\d+/g);
      expect(places(spark.cause.stack)).toEqual(places(embedded.cause.stack));
      expect(spark.cause).toMatchObject({ name: embedded.cause.name, message: embedded.cause.message });
    });

    test.each("wrongType nullWhereNone noRow notIterable udfPromise udfWrong outOfRange".split(" "))(
      "%s: the same error",
      (name) => {
        const { embedded, spark } = results.get(name)!;
        expect({ ...spark, cause: undefined }).toEqual({ ...embedded, cause: undefined });
        expect(spark.code).toBe("INVALID_VALUE");
      },
    );

    test("an error of asynchronous work", () => {
      expect(results.get("asyncThrows")!.spark).toMatchObject({
        code: "USER_FUNCTION_FAILED",
        cause: { message: "later", stack: expect.stringMatching(/program\.ts:\d+/) },
      });
    });

    test("a function that never returns is ended, one that ends its process is told", () => {
      expect(results.get("endless")!.spark.message).toMatch(
        /gave nothing for 5 seconds.*spark\.millrace\.function\.timeout/,
      );
      expect(results.get("exits")!.spark.message).toMatch(/the Node process that ran it ended with code 3/);
    });

    test("a session inside a function is refused before anything runs", () => {
      expect(results.get("stateful")!.spark.code).toBe("FUNCTION_NOT_PORTABLE");
    });
  });

  test("stateful processors over batches and a restart give what they give embedded", async () => {
    const spark = await program("stateful.ts", { SPARK_REMOTE: server!.url });
    const embedded = await program("stateful.ts", {});
    expect(spark).toEqual(embedded);
    const [sessions, short] = embedded;
    expect(sessions!.rows.filter((row: string) => row.includes("expired"))).toHaveLength(2);
    expect(sessions!.rows.filter((row: string) => row.includes("nobody") || row.includes('"late"]'))).toEqual([]);
    expect(short!.rows).toHaveLength(20);
  }, 400_000);

  test("no Node where the setting says", async () => {
    const [first] = await program("program.ts", {
      SPARK_REMOTE: server!.url,
      NODE_CONF: "/nowhere/node",
      ONLY: "closure",
    });
    expect(first!.outcome.code).toBe("DEPENDENCY_MISSING");
    expect(first!.outcome.message).toMatch(/where spark\.millrace\.node\.path says, \/nowhere\/node/);
  }, 60_000);
});
