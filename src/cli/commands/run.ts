import { type DevOptions, runStack } from "./dev.ts";

export interface RunOptions extends DevOptions {
  embedded?: boolean;
}

/** `millrace run FILE`: ends when the pipeline has ended. */
export function run(file: string, options: RunOptions): Promise<number> {
  return runStack(file, options, { embedded: options.embedded === true, stay: false });
}
