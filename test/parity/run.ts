import { parseArgs } from "node:util";
import { startSpark } from "../../services/spark.ts";
import type { ExpressionCase, ParityCase, PlanCase, QueryCase, StreamCase } from "./case.ts";
import { writtenCases } from "./cases/index.ts";
import { exampleCases } from "./examples.ts";
import { byConf, type Expression, judgeExpressions, judgePlans, judgeQueries, type Verdict } from "./judge.ts";
import { type LaneName, Lanes } from "./lanes.ts";
import { ASKED_ONCE, judgeRandomExpressions } from "./random/run.ts";
import { judgeRandomPlans } from "./random/run-plans.ts";
import { judgeStreams, StreamSessions } from "./streams.ts";

// npm run parity [-- --family F] [--filter TEXT] [--random N] [--seed S] [--kind K] [--json] [--jobs N]
//   Runs the cases on real Spark and embedded and compares the results. Without --family and --filter, all of them.
//   --random N --seed S   also N generated cases, one in ten a plan; with --only expression or --only plan, all of that kind
//   --case I              only the generated case I of the seed
//   --every N             every Nth case of each family
//   --only W, --not W     only these, or all but these: expression, query, plan, stream
//   --kind K              print only unexpected differences of this kind: crash, error, value, type, nullable, name
//   SPARK_REMOTE          the address of a Spark Connect server; without it one is started (services/spark.ts)
const { values: options } = parseArgs({
  options: {
    family: { type: "string", multiple: true },
    filter: { type: "string" },
    random: { type: "string", default: "0" },
    seed: { type: "string" },
    case: { type: "string" },
    jobs: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    kind: { type: "string", multiple: true },
    every: { type: "string", default: "1" },
    only: { type: "string", multiple: true },
    not: { type: "string", multiple: true },
  },
});

const wanted = (c: { readonly family: string; readonly name?: string; readonly sql?: string }): boolean =>
  (options.family === undefined || options.family.includes(c.family)) &&
  (options.filter === undefined || `${c.family} ${c.name ?? ""} ${c.sql ?? ""}`.includes(options.filter));

const included = (what: string): boolean =>
  (options.only === undefined || options.only.includes(what)) && options.not?.includes(what) !== true;

const seen = new Map<string, number>();
/** The same sample each time, something of every family. */
const sampled = (family: string): boolean => {
  const n = seen.get(family) ?? 0;
  seen.set(family, n + 1);
  return n % Number(options.every) === 0;
};

const log = (text: string): void => {
  if (!options.json) console.log(text);
};

let stopServer = async (): Promise<void> => {};
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1);
const written = (await writtenCases()).filter((c) => wanted(c) && included(c.kind) && sampled(`${c.kind} ${c.family}`));
const of = <K extends ParityCase["kind"]>(kind: K): Extract<ParityCase, { kind: K }>[] =>
  written.filter((c): c is Extract<ParityCase, { kind: K }> => c.kind === kind);

const url = process.env.SPARK_REMOTE || (await ownServer());
// What is asked of Spark here is asked by name; a session made without one is embedded.
delete process.env.SPARK_REMOTE;
const jobs = Number(options.jobs);
const only = options.case === undefined ? undefined : Number(options.case);
const random = Number(options.random) || (only === undefined ? 0 : 1);
const exprs: Expression[] = [
  ...exampleCases().filter((c) => wanted(c) && included("expression") && sampled(`example ${c.family}`)),
  ...of("expression").map((c: ExpressionCase): Expression => ({ ...c, on: c.on })),
];
const streams = of("stream") as StreamCase[];
const names: readonly LaneName[] = ["text", "encoded", "embedded"];

const verdicts: Verdict[] = [];
const total = { done: 0, unexpected: 0 };
const done = (list: readonly Verdict[]): void => {
  for (const v of list) {
    total.done++;
    if (v.status !== "unexpected") continue;
    total.unexpected++;
    tell(v);
  }
  if (list.length > 1 || total.done % 50 === 0) log(counted());
};
const counted = (): string => `${total.done} cases, ${total.unexpected} unexpected (${seconds()} s)`;
const short = (text = ""): string => (text.length > 400 ? `${text.slice(0, 300)} ... ${text.slice(-80)}` : text);
/** An unexpected difference, told when it is found: a run that is ended early has told what it saw. */
const tell = (v: Verdict): void => {
  if (options.kind && !options.kind.includes(v.kind ?? "")) return;
  log(`UNEXPECTED ${v.kind ?? "known"}  ${v.family}: ${v.label}\n    ${v.lane ?? ""}: ${short(v.difference)}`);
  log(`    spark: ${short(v.spark)}\n    ${v.lane ?? "other"}: ${short(v.other)}`);
  if (v.shrunk) log(`    smaller: ${short(v.shrunk)}`);
};

/** A server for this run alone: it ends with this process. */
async function ownServer(): Promise<string> {
  const server = await startSpark({ memory: "3g" });
  if ("unavailable" in server) {
    console.error(`There is no Spark to compare with: ${server.unavailable}`);
    process.exit(1);
  }
  log(`Spark ${server.version} started (${seconds()} s)`);
  stopServer = () => server.stop();
  return server.url;
}

// Ends through process.exit, which removes the tables.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    log(`ended by ${signal}: ${counted()}`);
    process.exit(130);
  });
}

// Streams bring their own input: the tables are written for the others only.
if (random > 0 || exprs.length > 0 || written.length > streams.length) {
  const lanes = await Lanes.open({ url, jobs });
  log(`tables written, ${jobs} sessions of Spark (${seconds()} s)`);
  try {
    await judgeTables(lanes);
  } finally {
    await lanes.close();
  }
}
if (streams.length > 0) {
  const sessions = new StreamSessions(url);
  try {
    verdicts.push(...(await judgeStreams(sessions, streams, jobs, done)));
  } finally {
    await sessions.close();
  }
}

async function judgeTables(lanes: Lanes): Promise<void> {
  for (const group of byConf(exprs)) {
    await lanes.withConf(group[0]!.conf, async () => {
      verdicts.push(...(await judgeExpressions(lanes, names, group, done)));
    });
  }
  if (random > 0) {
    const seed = options.seed === undefined ? Date.now() % 1_000_000 : Number(options.seed);
    log(`${random} random cases, seed ${seed}`);
    const [expression, plan] = [included("expression"), included("plan")];
    // One in ten is a whole plan.
    const plans = expression ? Math.floor(random / 10) : random;
    await lanes.withConf(ASKED_ONCE, () =>
      lanes.inMemory(async () => {
        if (expression) {
          const count = plan ? random - plans : random;
          verdicts.push(...(await judgeRandomExpressions(lanes, { count, seed, only }, done)));
        }
        if (plan) verdicts.push(...(await judgeRandomPlans(lanes, { count: plans, seed, only }, done)));
      }),
    );
  }
  for (const group of byConf<QueryCase>(of("query"))) {
    await lanes.withConf(group[0]!.conf, async () => {
      verdicts.push(...(await judgeQueries(lanes, names, group, done)));
    });
  }
  for (const group of byConf<PlanCase>(of("plan") as PlanCase[])) {
    await lanes.withConf(group[0]!.conf, async () => {
      verdicts.push(...(await judgePlans(lanes, group, done)));
    });
  }
}

const count = (status: Verdict["status"]): number => verdicts.filter((v) => v.status === status).length;
if (options.json) console.log(JSON.stringify(verdicts, null, 2));
else {
  for (const v of verdicts) if (v.status === "expected") log(`expected  ${v.family}: ${v.label}\n    ${v.reason}`);
}
const kinds = new Map<string, number>();
for (const v of verdicts)
  if (v.status === "unexpected") kinds.set(v.kind ?? "known", (kinds.get(v.kind ?? "known") ?? 0) + 1);
if (kinds.size > 0) log(`unexpected by kind: ${[...kinds].map(([k, n]) => `${k} ${n}`).join(", ")}`);
log(
  `${verdicts.length} cases, ${count("equal")} equal, ${count("expected")} expected differences, ${count("unexpected")} unexpected (${seconds()} s)`,
);
process.exitCode = count("unexpected") > 0 ? 1 : 0;
await stopServer();
