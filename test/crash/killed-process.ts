import { spawn } from "node:child_process";
import { subscribe } from "../../src/events.ts";

/** A step of the batch protocol (`batch.step`), of a batch, of a sink where it has one. */
export type KillAt = readonly [step: string, batchId: number, sink: string | undefined];

/** Runs a pipeline by `child`, a file, in a process of its own; resolves with the signal that ended it, or null. */
export function runPipeline(child: string, pipeline: string, place: string, kill?: KillAt): Promise<string | null> {
  const args = [child, pipeline, place, ...(kill ?? []).filter((arg) => arg !== undefined).map(String)];
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "pipe"] });
    let errors = "";
    running.stderr.on("data", (text: Buffer) => {
      errors += text;
    });
    running.once("error", reject);
    running.once("close", (code, signal) => {
      if (code === 0 || signal === "SIGKILL") resolve(signal);
      else reject(new Error(`${args.slice(1).join(" ")} ended with ${code ?? signal}\n${errors}`));
    });
  });
}

/** In such a process: its arguments; it kills itself at the step that they tell. */
export function pipelineArguments(): { readonly name: string; readonly place: string } {
  const [name, place, step, batchId, sink] = process.argv.slice(2);
  if (step !== undefined) {
    subscribe("batch.step", (event) => {
      if (event.step === step && event.batchId === Number(batchId) && (sink === undefined || event.sink === sink)) {
        process.kill(process.pid, "SIGKILL");
      }
    });
  }
  return { name: name!, place: place! };
}
