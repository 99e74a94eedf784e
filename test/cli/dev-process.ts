import { once } from "node:events";
import { createInterface } from "node:readline";
import { type CliOptions, type CliProcess, startCli } from "./cli-process.ts";

/** Any free ones. */
export const FREE_PORTS = ["--kafka-port", "0", "--postgres-port", "0", "--redis-port", "0", "--metrics-port", "0"];

/** `millrace dev --json`, and what it has told so far. Lines that are no events are what the pipeline prints. */
export class DevProcess {
  readonly child: CliProcess;
  readonly events: any[] = [];
  readonly printed: string[] = [];
  readonly #waiting: (() => void)[] = [];
  errors = "";

  constructor(args: readonly string[], options: CliOptions) {
    this.child = startCli(["dev", "--json", ...args], options);
    this.child.stderr.on("data", (data) => {
      this.errors += data;
    });
    createInterface(this.child.stdout).on("line", (line) => {
      if (line.startsWith('{"event"')) this.events.push(JSON.parse(line));
      else this.printed.push(line);
      this.#wake();
    });
    this.child.on("close", () => this.#wake());
  }

  /** Waits until it has told enough for `look` to find something. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(`dev has ended: ${this.errors}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The first event from number `from` on that `fits`. */
  eventThat(from: number, fits: (e: any) => boolean): Promise<any> {
    return this.until(() => this.events.slice(from).find(fits));
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGTERM");
    await once(this.child, "close");
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
