import { publish } from "../events.ts";
import { BackendDied } from "./backend.ts";
import type { Front } from "./front.ts";

/** How often is looked. */
const EVERY_MS = 2_000;
/** Quiet time after which work that can wait is done. */
const QUIET_MS = 1_000;
/** Log written since the last checkpoint; checkpoints of this size take some 100 ms. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;
/** Dead rows that are worth a VACUUM: so many and this share of the living; at the higher share it does not wait for a quiet time. */
const DEAD_ROWS = 5_000;
const DEAD_SHARE = 0.2;
const DEAD_SHARE_URGENT = 1;

/**
 * What PostgreSQL's checkpointer and autovacuum do: PGlite is a single process and has neither, so its log and its tables would
 * only grow. Returns the function that ends it.
 */
export function startMaintenance(front: Front): () => void {
  let pending = false;
  const timer = setInterval(() => {
    if (pending) return;
    pending = true;
    front.whenIdle(async (sql) => {
      try {
        await maintain(sql, front.quietMs >= QUIET_MS);
      } catch (error) {
        if (error instanceof BackendDied) throw error;
        publish("server.error", { server: "postgres", error: error as Error });
      } finally {
        pending = false;
      }
    });
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function maintain(sql: (text: string) => Promise<(string | null)[][]>, quiet: boolean): Promise<void> {
  const share = quiet ? DEAD_SHARE : DEAD_SHARE_URGENT;
  const [table] = await sql(
    "SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables " +
      `WHERE n_dead_tup > ${DEAD_ROWS} + ${share} * n_live_tup ORDER BY n_dead_tup DESC LIMIT 1`,
  );
  if (table !== undefined) await sql(`VACUUM (ANALYZE) ${table[0]}`);
  const [log] = await sql(
    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::bigint FROM pg_control_checkpoint()",
  );
  if (Number(log?.[0] ?? 0) > CHECKPOINT_BYTES) await sql("CHECKPOINT");
}
