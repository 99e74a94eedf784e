import { completionScript, type Shell } from "../completion/scripts.ts";
import { type CommonOptions, EXIT, print } from "../output.ts";

/** `millrace completion SHELL`. */
export function completion(shell: Shell, options: CommonOptions): number {
  const script = completionScript(shell);
  print(options.json ? JSON.stringify({ shell, script }) : script);
  return EXIT.ok;
}
