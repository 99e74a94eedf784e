import { runStack } from "../run-stack.ts";
import type { StackOptions } from "../settings.ts";

export interface DevOptions extends StackOptions {
  /** False with `--no-watch`. */
  watch?: boolean;
}

/** `millrace dev [file]`: stays until it is stopped, and loads the pipeline again when it changes. */
export function dev(file: string | undefined, options: DevOptions): Promise<number> {
  return runStack(file, options, { command: "dev", embedded: true, stay: true, watch: options.watch !== false });
}
