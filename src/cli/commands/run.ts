import { runStack } from "../run-stack.ts";
import type { StackOptions } from "../settings.ts";

export interface RunOptions extends StackOptions {
  embedded?: boolean;
}

/** `millrace run FILE`: ends when the pipeline has ended. */
export function run(file: string | undefined, options: RunOptions): Promise<number> {
  return runStack(file, options, { command: "run", embedded: options.embedded === true, stay: false, watch: false });
}
