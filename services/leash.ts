import { spawn } from "node:child_process";

/**
 * Ties a process to this one: it and its children are killed when this process ends, however that comes about (a `kill -9` too). The process must lead a
 * group of its own (`detached: true`). Gives what unties it, for when it was ended in good order.
 */
export function leash(pid: number): () => void {
  // The pipe's other end is held by this process alone, so it is closed when this process is gone. One end in good order writes a line first.
  const keeper = spawn("/bin/sh", ["-c", `read -r line || kill -9 -- -${pid} 2>/dev/null`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  keeper.unref();
  const pipe = keeper.stdin as typeof keeper.stdin & { unref?(): void };
  pipe.unref?.();
  pipe.on("error", () => {}); // the keeper is gone already: nothing is tied any more
  return () => void pipe.end("untied\n");
}
