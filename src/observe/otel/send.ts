import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";

/**
 * Sends telemetry for a program. Throws what `startTelemetry` throws for an address that was asked for here; one that the environment has for
 * all programs is only warned of.
 */
export async function sendTelemetry(options: TelemetryOptions): Promise<Telemetry | undefined> {
  try {
    return await startTelemetry(options);
  } catch (error) {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: everybodys } = options.env ?? process.env;
    const isEverybodys = options.endpoint === undefined || options.endpoint === everybodys;
    if (!isEverybodys || !(error instanceof MillraceError)) throw error;
    publish("warning", {
      code: error.code,
      message: `No telemetry is sent: ${error.reason} ${error.hint ?? ""}`.trim(),
    });
    return undefined;
  }
}
