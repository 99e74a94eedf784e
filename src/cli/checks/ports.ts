import { createServer } from "node:net";
import { portListener } from "../port-holder.ts";
import { readRunFiles } from "../run-file.ts";
import type { Check } from "./check.ts";

/** A port that an embedded server would take, and who has it. A taken one is no fault: the next free one is used. */
export function portCheck(name: string, port: number, option: string): Check {
  return {
    name: `port ${port}`,
    required: false,
    async run({ directory }) {
      if (port === 0 || (await isFree(port))) return { state: "ok", found: `free for ${name}` };
      const holder = await portListener(port);
      const ours = (await readRunFiles(directory)).find((run) => run.pid === holder?.pid);
      if (ours !== undefined)
        return { state: "ok", found: `${name} of \`millrace ${ours.command}\`, process ${ours.pid}` };
      const who = holder === undefined ? "another program" : `${holder.name || "a program"} (process ${holder.pid})`;
      const found = `${who} has it; ${name} would take the next free one`;
      const end = holder === undefined ? "" : `   or   kill ${holder.pid}`;
      return { state: "warning", found, fix: `millrace dev ${option} 0${end}` };
    },
  };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => done(true)));
  });
}
