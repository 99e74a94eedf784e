import type { Conf } from "../backend.ts";
import type { SparkConnectClient } from "./client/client.ts";

/** Settings that are not the server's: ours, and those of a Spark that an application starts itself. */
const OWN = /^(millrace\.|spark\.millrace\.|spark\.(app\.name|master|remote|submit\..*)$)/;

/** The session's settings as the server is to have them: a program means the same on both engines, so the time zone is given. */
export function serverConf(conf: Conf): Record<string, string> {
  const settings: Record<string, string> = { "spark.sql.session.timeZone": "UTC" };
  // With one partition Spark 4.2 takes the union of two parts for one: a window or aggregate over it counts each part by itself.
  if (conf["spark.sql.shuffle.partitions"] === "1") settings["spark.sql.unionOutputPartitioning"] = "false";
  for (const [name, value] of Object.entries(conf)) if (!OWN.test(name)) settings[name] = value;
  return settings;
}

/** Keeps the server's settings like ours: only what changed is sent. */
export class SessionConf {
  readonly #client: SparkConnectClient;
  #sent: Record<string, string> = {};
  /** The server's own, before the first of ours. */
  #own: Promise<Record<string, string>> | undefined;

  constructor(client: SparkConnectClient) {
    this.#client = client;
  }

  /**
   * `settled` is waited for before anything changes: plans on their way to the server are still to be read with the settings that they
   * came with. Throws Spark's own error for a setting that cannot be changed or has a wrong value.
   */
  async apply(conf: Conf, settled: () => Promise<unknown> = async () => {}): Promise<void> {
    const wanted = serverConf(conf);
    const gone = Object.keys(this.#sent).filter((name) => !(name in wanted));
    const changed = Object.entries(wanted).filter(([name, value]) => this.#sent[name] !== value);
    if (gone.length === 0 && changed.length === 0) return;
    await settled();
    const own = await this.#serverOwn();
    // To unset what the server was started with would give Spark's default instead.
    const back = gone.filter((name) => name in own).map((name) => [name, own[name]!] as const);
    const none = gone.filter((name) => !(name in own));
    if (none.length > 0) await this.#client.conf.unset(...none);
    if (changed.length + back.length > 0) await this.#client.conf.set(Object.fromEntries([...changed, ...back]));
    for (const name of gone) delete this.#sent[name];
    Object.assign(this.#sent, Object.fromEntries(changed));
  }

  #serverOwn(): Promise<Record<string, string>> {
    if (this.#own === undefined) {
      this.#own = this.#client.conf.getAll();
      this.#own.catch(() => {
        this.#own = undefined;
      });
    }
    return this.#own;
  }
}
