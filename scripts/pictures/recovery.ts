import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AMBER, BLUE, Drawing, GREEN, scale } from "./drawing.ts";

const FILES = 5;
const KILLED = { batch: 2, step: "state-committed" };

const WORDS: Readonly<Record<string, readonly [words: string, color: string]>> = {
  "offsets-written": ["written down: which rows", AMBER],
  "state-committed": ["stored: result and state", BLUE],
  "sink-after": ["delivered to the sink", "#7c3aed"],
  "commits-written": ["written down: done", GREEN],
};

/** A process killed in the middle of a batch, and what the next one does with that batch. */
export async function recovery(): Promise<Drawing> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-pictures-"));
  try {
    mkdirSync(join(folder, "input"));
    for (let i = 0; i < FILES; i++) {
      const file = join(folder, "input", `${i}.json`);
      const rows = Array.from({ length: 20 }, (_, n) => JSON.stringify({ id: n % 4, amount: 1 }));
      writeFileSync(file, rows.join("\n"));
      utimesSync(file, 1_700_000_000 + i, 1_700_000_000 + i);
    }
    const killed = await run(folder, [String(KILLED.batch), KILLED.step]);
    if (killed !== "SIGKILL") throw new Error(`the first process ended with ${killed}`);
    await run(folder, []);
    return draw(readFileSync(join(folder, "steps.txt"), "utf8").trim().split("\n"));
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function run(folder: string, kill: readonly string[]): Promise<string | null> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./recovery-child.ts", import.meta.url)), folder, ...kill],
    {
      stdio: "inherit",
    },
  );
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (code !== null && code !== 0) throw new Error(`the process ended with ${code}`);
  return signal;
}

interface Step {
  readonly life: number;
  readonly batch: number;
  readonly step: string;
}

function draw(lines: readonly string[]): Drawing {
  let life = -1;
  let total = 0;
  const steps: Step[] = [];
  for (const line of lines) {
    const [first, second] = line.split(" ") as [string, string];
    if (first === "start") life++;
    else if (first === "total") total = Number(second);
    else if (second in WORDS) steps.push({ life, batch: Number(first), step: second });
  }
  if (total !== FILES * 20) throw new Error(`the sum is ${total}, not ${FILES * 20}`);
  const kinds = Object.keys(WORDS);
  const d = new Drawing(
    760,
    336,
    "A process killed in the middle of a batch, and the next one",
    `Batch ${KILLED.batch} was stored and not delivered when the process was killed. The next process delivers what was stored and computes nothing of it again. All ${total} rows are counted once.`,
  );
  d.text(40, 30, `Killed in batch ${KILLED.batch}, after its result was stored`, "head");
  const x = scale([0, steps.length], [210, 730]);
  kinds.forEach((kind, row) => {
    const [words] = WORDS[kind]!;
    d.text(40, 84 + row * 46, words);
    d.line(210, 80 + row * 46, 730, 80 + row * 46, "grid");
  });
  const cut = steps.findIndex((s) => s.life === 1);
  steps.forEach((s, i) => {
    const row = kinds.indexOf(s.step);
    d.rect(x(i) + 2, 68 + row * 46, x(1) - x(0) - 4, 24, WORDS[s.step]![1], 'rx="4"');
    d.text((x(i) + x(i + 1)) / 2, 85 + row * 46, String(s.batch), "white", "middle");
  });
  d.line(x(cut), 48, x(cut), 250, "cut");
  d.text(x(cut) - 6, 56, "kill -9", "small", "end");
  d.text(x(cut) + 6, 56, "the next process", "small");
  d.line(210, 262, 730, 262);
  d.text(730, 278, "time (the number is that of the batch)", "small", "end");
  const again = steps.filter((s) => s.life === 1 && s.batch === KILLED.batch).map((s) => s.step);
  if (again.includes("state-committed") || !again.includes("sink-after"))
    throw new Error("the batch was computed again");
  d.text(
    40,
    302,
    `The next process delivers batch ${KILLED.batch} from what was stored: nothing of it is read or computed again.`,
  );
  d.text(40, 320, `At the end all ${total} rows are in the sum, each once.`);
  return d;
}
