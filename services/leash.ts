import { type ChildProcess, spawn } from "node:child_process";

/**
 * Ties a child to this process: it is killed when this process ends, however that comes about (a `kill -9` too), and with it its group where it
 * leads one (`detached: true`). It is untied when it ends first.
 */
export function leash(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return; // it never started
  // The pipe's other end is held by this process alone, so it is closed when this process is gone. One end in good order writes a line first.
  const keeper = spawn("/bin/sh", ["-c", `read -r line || kill -9 -- -${pid} || kill -9 ${pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  keeper.unref();
  const pipe = keeper.stdin as typeof keeper.stdin & { unref?(): void };
  pipe.unref?.();
  pipe.on("error", () => {}); // the keeper is gone already: nothing is tied any more
  child.once("exit", () => void pipe.end("untied\n"));
}
