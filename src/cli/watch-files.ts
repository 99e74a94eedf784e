import type { FSWatcher } from "chokidar";

/** Editors write several files at once. */
const SETTLE_MS = 20;
/** Chokidar drops a change that comes within 50 ms of another of the same file, as a formatter's does: so it is looked once more. */
const AGAIN_MS = 100;

/** Calls `changed` when one of the files was written, made or removed, and once more a moment later; which they are may be set anew. */
export class FileWatch {
  readonly #watcher: FSWatcher;
  readonly #watched = new Set<string>();
  #timers: readonly NodeJS.Timeout[] = [];

  private constructor(watcher: FSWatcher) {
    this.#watcher = watcher;
  }

  static async start(changed: () => void): Promise<FileWatch> {
    const { watch } = await import("chokidar");
    const watcher = watch([], { ignoreInitial: true });
    const files = new FileWatch(watcher);
    watcher.on("all", () => {
      files.#forget();
      files.#timers = [setTimeout(changed, SETTLE_MS), setTimeout(changed, AGAIN_MS)];
    });
    return files;
  }

  /** Watches these files, and no others. */
  set(paths: readonly string[]): void {
    const wanted = new Set(paths);
    const added = paths.filter((path) => !this.#watched.has(path));
    const gone = [...this.#watched].filter((path) => !wanted.has(path));
    this.#watcher.add(added);
    this.#watcher.unwatch(gone);
    for (const path of added) this.#watched.add(path);
    for (const path of gone) this.#watched.delete(path);
  }

  async close(): Promise<void> {
    this.#forget();
    await this.#watcher.close();
  }

  #forget(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
