/** What a check found: fine, something to know, or a fault. */
export type Finding = {
  readonly state: "ok" | "warning" | "failed" | "skipped";
  /** What was found, in a few words. */
  readonly found: string;
  /** What repairs it: a command where there is one. */
  readonly fix?: string;
};

/** One line of `millrace doctor`. */
export interface Check {
  readonly name: string;
  /** A fault of it makes the command fail: nothing runs without. */
  readonly required: boolean;
  run(about: CheckContext): Promise<Finding>;
}

export interface CheckContext {
  /** Where embedded servers keep their data, absolute. */
  readonly directory: string;
  /** Ports that servers would take, by name. */
  readonly ports: Readonly<Record<string, number>>;
  readonly env: NodeJS.ProcessEnv;
}

/** Bytes as people read them. */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power < 3 ? 0 : 1)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}
