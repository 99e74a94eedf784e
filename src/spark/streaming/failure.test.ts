import { expect, test } from "vitest";
import type { BridgeCall } from "../bridge/command.ts";
import { causeOf } from "./failure.ts";

const call = { host: "10.0.0.7", port: 4711 } as BridgeCall;
const prefix = "[STREAM_FAILED] Query [id = a, runId = b] terminated with exception: ";

test("the cause has Spark's class, not STREAM_FAILED", () => {
  const cause = causeOf(
    {
      exceptionMessage: `${prefix}[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012`,
      errorClass: "STREAM_FAILED",
    },
    undefined,
  );
  expect(cause).toMatchObject({ code: "DIVIDE_BY_ZERO", sqlState: "22012", retryable: false });
});

test("what our own code on the server says is found in whatever Spark puts around it", () => {
  const said = '<<millrace {"code": "BRIDGE_UNREACHABLE", "text": "[Errno 111] Connection refused"}>>';
  const cause = causeOf({ exceptionMessage: `${prefix}Python error: Traceback ...\nBridgeError: ${said}\n` }, call);
  expect(cause).toMatchObject({ code: "BRIDGE_UNREACHABLE", retryable: false, parameters: { host: "10.0.0.7" } });
  expect(cause.message).toContain("10.0.0.7:4711");
  expect(cause.message).toContain("Connection refused");
  const lost = said.replace("BRIDGE_UNREACHABLE", "BRIDGE_LOST");
  expect(causeOf({ exceptionMessage: `${prefix}${lost}` }, call)).toMatchObject({ retryable: true });
});

test.each([
  "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment",
  "java.net.ConnectException: Connection refused",
])("a trouble that passes can be tried again: %s", (text) => {
  expect(causeOf({ exceptionMessage: `${prefix}${text}` }, undefined)).toMatchObject({ retryable: true });
});
