import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { LiveOutput } from "./live-output.ts";
import { onStderr } from "./output.ts";

/** What a key does, and in words. */
export interface Key {
  readonly key: string;
  readonly does: string;
  run(): unknown;
}

/** Listens for keys, each with Enter, where stdin and stderr are a terminal; gives what ends that. */
export function listenForKeys(keys: readonly Key[], out: LiveOutput): () => void {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return () => {};
  const help = (): void => {
    const lines = keys.map(({ key, does }) => `  ${onStderr("bold", key)} + Enter  ${does}`);
    out.line([...lines, `  ${onStderr("bold", "h")} + Enter  show this`].join("\n"));
  };
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (text) => {
    const typed = text.trim().toLowerCase();
    if (typed === "") return;
    const found = keys.find(({ key }) => key === typed);
    if (found === undefined) help();
    else void found.run();
  });
  out.line(onStderr("dim", `  press ${keys.map(({ key }) => key).join(" ")} or h for help, then Enter`));
  return () => {
    lines.close();
    process.stdin.unref();
  };
}

/** Opens an address in the user's browser; false where that cannot be done. */
export function openBrowser(url: string): Promise<boolean> {
  const [command, args]: [string, string[]] =
    process.platform === "darwin"
      ? ["open", [url]]
      : process.platform === "win32"
        ? ["cmd", ["/c", "start", "", url.replaceAll("&", "^&")]]
        : ["xdg-open", [url]];
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "ignore", detached: true });
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}
