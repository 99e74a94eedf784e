/** What `millrace.config.ts` may say. Options of the command line go before it, it goes before the defaults. */
export interface MillraceConfig {
  /** The pipeline that `millrace dev` and `millrace run` take when none is given: a file, beside this one. */
  readonly pipeline?: string;
  /** Where embedded servers keep their data; default `.millrace` beside this file. */
  readonly dir?: string;
  /** The address that embedded servers listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Ports; 0 takes any free one. A port that is taken is given up for the next free one. */
  readonly ports?: {
    /** Default 9092. */
    readonly kafka?: number;
    /** Default 5432. */
    readonly postgres?: number;
    /** Default 6379. */
    readonly redis?: number;
    /** Of the dashboard, /metrics and /api; default 4040. */
    readonly dashboard?: number;
  };
  /**
   * The address that the dashboard listens on; default 127.0.0.1. At another one it asks for a token: that of the variable MILLRACE_TOKEN, or a
   * new one, which the printed address carries.
   */
  readonly dashboardHost?: string;
  /** Further names by which the dashboard may be called, such as `metrics.example.org`. */
  readonly allowedHosts?: readonly string[];
  /** A folder with a page of your own, beside this file; it is served at `/app/` of the dashboard's port. */
  readonly public?: string;
  /** Variables of the environment that are set where they are not, such as `MILLRACE_KAFKA`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether `millrace dev` lets TypeScript, where the project has it, check the types after each load; default true. */
  readonly typeCheck?: boolean;
}

/**
 * The settings of a project, for `export default` of its `millrace.config.ts`. It gives back what it gets; it is there for the types.
 *
 * @example
 * export default defineConfig({ pipeline: "src/pipeline.ts", ports: { kafka: 0 } });
 */
export function defineConfig(config: MillraceConfig): MillraceConfig {
  return config;
}
