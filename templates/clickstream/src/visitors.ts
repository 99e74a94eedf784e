import { setTimeout } from "node:timers/promises";
import { stopSignal } from "millrace";

const PAGES = ["/", "/", "/tea", "/tea", "/coffee", "/cups", "/basket", "/thanks"];
const VISITORS = 12;
const stop = stopSignal();

/** A few visitors that click around until the pipeline ends: each looks at some pages, goes away, and comes back as somebody else. */
export async function visit(address: string): Promise<void> {
  await Promise.all(
    Array.from({ length: VISITORS }, async (_, i) => {
      for (let visits = 0; !stop.aborted; visits++) {
        const visitor = `visitor-${i}-${visits}`;
        const steps = 2 + Math.floor(Math.random() * 8);
        for (let step = 0; step < steps && !stop.aborted; step++) {
          const page = PAGES[Math.floor(Math.random() * Math.min(PAGES.length, 2 + step * 2))]!;
          await click(address, visitor, page);
          await pause(500 + Math.random() * 3000);
        }
        await pause(5000 + Math.random() * 10_000);
      }
    }),
  );
}

async function click(address: string, visitor: string, page: string): Promise<void> {
  try {
    await fetch(`${address}/clicks`, { method: "POST", body: JSON.stringify({ visitor, page }), signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

async function pause(ms: number): Promise<void> {
  await setTimeout(ms, undefined, { signal: stop }).catch(() => {}); // over at once when the pipeline ends
}
