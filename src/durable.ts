import { closeSync, fsyncSync, openSync } from "node:fs";

/** Makes new, renamed and removed names in a directory durable. Windows cannot open a directory; there a rename is durable by itself. */
export function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
