import { runStack, type StackOptions } from "../run-stack.ts";

export interface RunOptions extends StackOptions {
  embedded?: boolean;
}

/** `millrace run FILE`: ends when the pipeline has ended. */
export function run(file: string, options: RunOptions): Promise<number> {
  return runStack(file, options, { embedded: options.embedded === true, stay: false, watch: false });
}
