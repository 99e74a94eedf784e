import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Telemetry } from "../observe/otel/telemetry.ts";
import { type Observer, startObserver } from "../observe/server.ts";
import { noteSites } from "../plan/site.ts";
import { Program } from "../reload/program.ts";
import { type Stack, startStack } from "../stack.ts";
import { addressesJson, addressesText, type Listening } from "./announce.ts";
import { startEditing } from "./editing.ts";
import { liveOutput, logOutput } from "./live-output.ts";
import { ProgramLoader } from "./modules/loader.ts";
import { EXIT, exitCode, onStderr, report } from "./output.ts";
import { findPipeline } from "./pipeline.ts";
import { Reloader } from "./reload.ts";
import { writeRunFile } from "./run-file.ts";
import { type Settings, type StackOptions, settle } from "./settings.ts";
import { aborted, onStop } from "./signals.ts";
import { UsageError } from "./usage-error.ts";
import { version } from "./version.ts";

/** How long dev waits for the first load before it watches the files. */
const LOADING_MS = 2_000;

export interface StackMode {
  readonly command: "dev" | "run";
  /** Start the servers whose addresses are not set. */
  readonly embedded: boolean;
  /** Go on after the pipeline has ended. */
  readonly stay: boolean;
  /** Load the pipeline again when its files change, and wait for that after a failure. */
  readonly watch: boolean;
}

/** Servers, a pipeline, and the way down again; shared by `dev` and `run`. Resolves to the exit code. */
export async function runStack(file: string | undefined, options: StackOptions, mode: StackMode): Promise<number> {
  const startedAt = performance.now();
  noteSites();
  // An analysis goes deep before it fails, and the user's frame stands at the bottom.
  Error.stackTraceLimit = 50;
  const settings = await settle(file, options);
  const entry = settings.pipeline === undefined ? undefined : findPipeline(settings.pipeline);
  if (entry === undefined && !mode.stay) {
    throw new UsageError("No pipeline was given.", "Name its file, or set `pipeline` in millrace.config.ts.");
  }
  const isLog = options.logFormat === "json";
  const out = isLog ? await logOutput(options, version()) : liveOutput(options);
  const failed = (error: unknown): number => {
    if (!isLog) return report(error, options);
    out.problem(error);
    return exitCode(error);
  };
  const stop = onStop(() => out.line(onStderr("dim", "stopping (again to end at once)")));
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const end = Promise.withResolvers<void>();
  const loader = new ProgramLoader();
  const program = new Program({
    onFailure(error) {
      if (!mode.watch) return failure.reject(error);
      out.problem(error);
      out.line(onStderr("dim", "waiting for a change"));
    },
    onEnd: () => end.resolve(),
  });
  const unexpected = onUnexpected((error) => (entry === undefined ? failure.reject(error) : program.fail(error)));
  let stack: Stack | undefined;
  let observer: Observer | undefined;
  let telemetry: Telemetry | undefined;
  let editing: { close(): Promise<void> } | undefined;
  const listening = (): Listening => ({ stack, observer, dashboardWanted: settings.ports.dashboard });
  let removeRunFile = (): void => {};
  let code: number = EXIT.ok;
  try {
    if (mode.embedded) {
      const { dashboard, ...ports } = settings.ports;
      stack = await startStack({ directory: settings.dir, host: settings.host, ports });
    }
    if (mode.stay || options.metricsPort !== undefined) {
      const port = settings.ports.dashboard;
      observer = await startObserver({
        ...(port !== undefined && { port }),
        ...settings.dashboard,
        version: version(),
        servers: () => stack?.layers ?? [],
        pages: settings.pages,
      });
    }
    if (options.otlp) {
      const { sendTelemetry } = await import("../observe/otel/send.ts");
      telemetry = await sendTelemetry({ endpoint: options.otlp, version: version(), log: observer?.log });
    }
    if (stack !== undefined || observer !== undefined) removeRunFile = await tell(mode, settings, stack, observer);
    if (stack !== undefined || observer !== undefined) {
      const ms = Math.round(performance.now() - startedAt);
      out.event("ready", { ms, ...addressesJson(listening()) });
      out.line(`${onStderr("bold", "millrace")} ready in ${ms} ms\n${await addressesText(listening())}`);
    }
    const over = Promise.race([aborted(stop.signal), failure.promise]);
    if (entry !== undefined && !stop.signal.aborted) {
      const reloader = new Reloader({ entry, program, loader, out });
      const loading = reloader.start().catch((error: unknown) => {
        if (stop.signal.aborted) return;
        if (!mode.watch) return failure.reject(error);
        out.problem(error);
        out.line(onStderr("dim", "waiting for a change"));
      });
      // A module may take its time, or never settle; it can be edited all the same.
      const patience = mode.watch ? [setTimeout(LOADING_MS, undefined, { ref: false })] : [];
      await Promise.race([loading, over, ...patience]);
      if (mode.watch && !stop.signal.aborted) {
        editing = await startEditing({
          entry,
          config: settings.file,
          typeCheck: settings.typeCheck,
          loader,
          reloader,
          listening: listening(),
          out,
          quit: () => stop.ask(),
        });
      }
      const ended = await Promise.race([end.promise.then(() => true), over]);
      if (ended && mode.stay) out.line(onStderr("dim", "the pipeline has ended; the servers run until Ctrl-C"));
    }
    if (mode.stay) await over;
    code = stop.signal.aborted ? stop.code() : EXIT.ok;
  } catch (error) {
    code = failed(error);
  }
  try {
    await editing?.close();
    await program.stop();
    await telemetry?.close();
    await observer?.close();
    await stack?.stop();
  } catch (error) {
    code = failed(error);
  } finally {
    removeRunFile();
    loader.release();
    out.stop();
    stop.release();
    unexpected.release();
  }
  return code;
}

/** For `millrace status` and `stop`. */
function tell(
  mode: StackMode,
  settings: Settings,
  stack: Stack | undefined,
  observer: Observer | undefined,
): Promise<() => void> {
  return writeRunFile(settings.dir, {
    command: mode.command,
    pipeline: settings.pipeline === undefined ? null : resolve(settings.pipeline),
    startedAt: Date.now() - Math.round(process.uptime() * 1000),
    version: version(),
    layers: (stack?.layers ?? []).map(({ name, address, owner }) => ({ name, address, owner })),
    dashboard: observer?.url ?? null,
  });
}

/** What a pipeline forgot to catch. */
function onUnexpected(fail: (error: unknown) => void): { release(): void } {
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  return {
    release() {
      process.off("uncaughtException", fail);
      process.off("unhandledRejection", fail);
    },
  };
}
