import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { SparkSession } from "millrace";
import type { StreamingQueryProgress } from "../../src/backend.ts";
import { lockDirectory } from "../../src/dir-lock.ts";
import { MillraceError } from "../../src/errors.ts";
import { subscribe } from "../../src/events.ts";
import { QueryLog } from "../../src/observe/query-log.ts";
import { startStatusLine } from "../../src/observe/status-line.ts";
import { startStack } from "../../src/stack.ts";
import { loadFlights } from "./dataset.ts";
import { startLooking, version } from "./look.ts";
import type { FlightsOptions } from "./options.ts";
import { startQueries } from "./pipeline.ts";
import { createTopics, replay } from "./replay.ts";
import { addressesFrom, commandsText, countResults, type Summary, summaryText } from "./summary.ts";
import { verify } from "./verify.ts";

const FIRST_FLIGHTS = 50_000;
const LOOK_AFTER_MS = 2_000;

/** Runs the example; resolves to the exit code. */
export async function run(options: FlightsOptions): Promise<number> {
  const end = endSignal();
  // Data goes to stdout, everything else to stderr; without a terminal --once has nothing to show on the way.
  const status = options.once && !process.stderr.isTTY ? undefined : startStatusLine();
  let statusStopped = status === undefined;
  const say = (line: string): void => (statusStopped ? void process.stderr.write(`${line}\n`) : status?.log(line));
  subscribe("warning", ({ message }) => say(message));
  subscribe("server.error", ({ server, error }) => say(`${server}: ${error.message}`));
  const stopStatus = (): void => {
    if (!statusStopped) status?.stop();
    statusStopped = true;
  };
  const closing: (() => unknown)[] = [stopStatus];
  try {
    const folder = resolve(options.dir);
    if (options.fresh) await startOver(folder);
    // The first ones are there at once; all of them take a second or two to be read and sorted.
    const loading = [loadFlights(Math.min(options.limit, FIRST_FLIGHTS)), loadFlights(options.limit)];
    for (const part of loading) part.catch(() => {}); // awaited below
    const stack = await startStack({ directory: folder });
    closing.push(() => stack.stop());
    const addresses = addressesFrom(process.env);
    await createTopics(addresses.kafka);
    if (!options.once) say(`Look at it while it runs; Ctrl-C ends.\n${commandsText(addresses)}`);

    const watched = watchProgress();
    const log = new QueryLog();
    closing.push(() => log.close());
    if (options.otlp !== undefined) {
      const { sendTelemetry } = await import("../../src/observe/otel/send.ts");
      const telemetry = await sendTelemetry({ endpoint: options.otlp, version: version(), log });
      closing.push(() => telemetry?.close());
    }
    const spark = SparkSession.builder().appName("flights").getOrCreate();
    closing.push(() => spark.stop());
    const queries = Object.values(
      await startQueries(spark, { lake: addresses.lake, checkpoints: join(folder, "checkpoints") }),
    );
    const failure = Promise.all(queries.map((query) => query.awaitTermination()));
    failure.catch(() => end.abort());
    if (!(options.once && options.json) || options.dashboardPort !== undefined) {
      const wanted = Promise.withResolvers<boolean>();
      const looking = wanted.promise.then((yes) =>
        yes ? startLooking({ port: options.dashboardPort, log, stack, say }) : undefined,
      );
      // Whoever looks must not disturb the pipeline.
      looking.catch((error) => say(`The dashboard has failed: ${error.message}`));
      // The first result goes first; a run that has none waits for this long.
      const late = setTimeout(() => wanted.resolve(true), LOOK_AFTER_MS);
      watched.first.then(() => wanted.resolve(true));
      closing.push(async () => {
        clearTimeout(late);
        wanted.resolve(false);
        await (await looking.catch(() => undefined))?.close();
      });
    }

    const speed = Number.isFinite(options.speed)
      ? `${options.speed.toLocaleString("en-US")} times as fast as it was`
      : "at full speed";
    say(`Replaying ${options.limit.toLocaleString("en-US")} flights, ${speed}.`);
    const startedAt = performance.now();
    let sent = 0;
    for (const part of loading) {
      sent += await replay(await part, { kafka: addresses.kafka, speed: options.speed, signal: end.signal });
    }
    if (options.once) {
      await Promise.race([Promise.all(queries.map((query) => query.processAllAvailable())), aborted(end.signal)]);
    } else if (!end.signal.aborted) {
      say("All flights are sent. Ctrl-C ends.");
      await aborted(end.signal);
    }
    const busySeconds = (performance.now() - startedAt) / 1000;
    for (const query of queries) await query.stop();
    await failure;
    stopStatus();

    const counts = await countResults(addresses);
    const summary: Summary = {
      ...counts,
      eventsPerSecond: sent > 0 ? Math.round(sent / busySeconds) : null,
      firstResultMs: watched.firstResultMs,
      lateRows: watched.lateRows,
      seconds: Math.round(performance.now() / 100) / 10,
      peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
      addresses,
      ...(options.verify && {
        differences: (await verify({ ...addresses, events: counts.events })).differences,
      }),
    };
    process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : `\n${summaryText(summary, options.once)}`);
    if (options.once && !options.json) {
      process.stdout.write(`\nLook at it:\n${commandsText(addresses)}`);
      if (options.keep && !end.signal.aborted) {
        say("\nThe servers run until Ctrl-C.");
        await aborted(end.signal);
      } else {
        say("\nThe servers have stopped; `npm start` starts them again.");
      }
    }
    return summary.differences === undefined || summary.differences.length === 0 ? 0 : 1;
  } catch (error) {
    // An error of ours says what happened and what to do; of any other the stack helps.
    console.error(error instanceof MillraceError ? error.message : error);
    return 1;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

/** Fires at the first Ctrl-C, SIGTERM, or when the process that started this one is gone; the second Ctrl-C ends at once. */
function endSignal(): AbortController {
  const end = new AbortController();
  const stop = (): void => {
    if (end.signal.aborted) process.exit(130);
    end.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  process.on("disconnect", stop);
  process.channel?.unref();
  return end;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Counts late rows and notes when the first hours were delivered. */
function watchProgress() {
  const first = Promise.withResolvers<void>();
  const watched = { lateRows: 0, firstResultMs: null as number | null, first: first.promise };
  subscribe("query.progress", ({ name, progress }) => {
    const { stateOperators, sink } = progress as StreamingQueryProgress;
    for (const operator of stateOperators) watched.lateRows += operator.numRowsDroppedByWatermark;
    if (name !== "delays" || sink.numOutputRows <= 0) return;
    watched.firstResultMs ??= Math.round(performance.now());
    first.resolve();
  });
  return watched;
}

/** What the example and its servers keep in the folder. */
const OURS = ["kafka", "postgres", "redis", "lake", "checkpoints"];

async function startOver(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const lock = await lockDirectory(folder);
  try {
    for (const name of readdirSync(folder)) {
      if (OURS.includes(name)) rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
    }
  } finally {
    await lock.release();
  }
}
