import { once } from "node:events";
import { expect, test } from "vitest";
import { publish, subscribe } from "./events.ts";

const restart = { id: "i", runId: "r", name: "hourly", attempt: 1, delayMs: 200, error: new Error("no broker") };

test("what nobody listens to but somebody must hear becomes a warning of Node.js", async () => {
  const warned = once(process, "warning");
  publish("warning", { code: "KAFKA_DATA_LOSS", message: "Offsets are gone." });
  expect((await warned)[0]).toMatchObject({
    name: "MillraceWarning",
    code: "KAFKA_DATA_LOSS",
    message: "Offsets are gone.",
  });
  const again = once(process, "warning");
  publish("query.restarting", restart);
  expect((await again)[0].message).toBe("Query hourly starts again in 0.2 s after: no broker");
});

test("with a listener there is none", async () => {
  const heard: unknown[] = [];
  const warnings: Error[] = [];
  const listen = (w: Error): void => void warnings.push(w);
  process.on("warning", listen);
  const off = subscribe("query.restarting", (e) => heard.push(e));
  publish("query.restarting", restart);
  publish("batch.step", { queryId: "q", batchId: 0, step: "planned" });
  off();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", listen);
  expect(heard).toEqual([restart]);
  expect(warnings).toEqual([]);
});
