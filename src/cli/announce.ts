import type { Observer } from "../observe/server.ts";
import type { Stack } from "../stack.ts";
import { onStderr } from "./output.ts";
import { portHolder } from "./port-holder.ts";

/** As of Spark's own page. */
const DASHBOARD_PORT = 4040;

/** What listens where: the layers of the stack, the dashboard. */
export interface Listening {
  readonly stack: Stack | undefined;
  readonly observer: Observer | undefined;
  /** The port that the dashboard was to have. */
  readonly dashboardWanted: number | undefined;
}

/** For scripts. */
export function addressesJson({ stack, observer }: Listening): object {
  return {
    ...(stack && { directory: stack.directory, layers: stack.layers }),
    ...(observer && { dashboard: observer.url, metrics: metricsOf(observer.url) }),
  };
}

/** A line for each, with who holds the port that it was to have. */
export async function addressesText({ stack, observer, dashboardWanted }: Listening): Promise<string> {
  const line = async (name: string, address: string, wanted: number | undefined, whose = ""): Promise<string> => {
    const holder = wanted === undefined ? undefined : await portHolder(wanted);
    const by = holder === undefined ? "" : ` by ${holder}`;
    const moved = wanted === undefined ? "" : onStderr("yellow", `  (${wanted} is taken${by})`);
    return `  ${name.padEnd(10)}${onStderr("cyan", address)}${moved}${whose}`;
  };
  const lines = (stack?.layers ?? []).map((l) => {
    const whose = l.owner === "yours" ? onStderr("yellow", `  yours, from ${l.variable}`) : "";
    return line(l.name, l.address, l.wanted, whose);
  });
  if (observer !== undefined) {
    const wanted = dashboardWanted ?? DASHBOARD_PORT;
    const moved = wanted !== 0 && observer.port !== wanted;
    lines.push(line("dashboard", observer.url, moved ? wanted : undefined));
  }
  return (await Promise.all(lines)).join("\n");
}

/** Prometheus' page, with the token of the dashboard where it has one. */
function metricsOf(dashboard: string): string {
  const url = new URL(dashboard);
  url.pathname = "/metrics";
  return url.href;
}
