import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { addressesText, type Listening } from "./announce.ts";
import { listenForKeys, openBrowser } from "./keys.ts";
import type { LiveOutput } from "./live-output.ts";
import type { ProgramLoader } from "./modules/loader.ts";
import { onStderr } from "./output.ts";
import { codeFrame, placeText } from "./problem.ts";
import type { Reloader } from "./reload.ts";
import { TypeCheck, type TypeFault } from "./type-check.ts";
import { FileWatch } from "./watch-files.ts";

export interface EditingParts {
  readonly entry: URL;
  /** The config file, where there is one. */
  readonly config: string | undefined;
  readonly typeCheck: boolean;
  readonly loader: ProgramLoader;
  readonly reloader: Reloader;
  readonly listening: Listening;
  readonly out: LiveOutput;
  /** Ends dev. */
  quit(): void;
}

/** The types are looked at when the pipeline had a moment to begin. */
const CHECK_FIRST_MS = 3_000;
const CHECK_MS = 500;
/** So many faults are shown in full. */
const FAULTS_SHOWN = 3;

/** What dev does for who edits: loads the pipeline again, checks its types, listens for keys. Gives what ends it. */
export async function startEditing(parts: EditingParts): Promise<{ close(): Promise<void> }> {
  const { entry, config, loader, reloader, listening, out } = parts;
  const tell = typeTeller(out);
  const check = parts.typeCheck ? TypeCheck.of(fileURLToPath(entry), tell) : undefined;
  let reading = config === undefined ? undefined : await contentOf(config);
  const reload = async (forced = false): Promise<void> => {
    await reloader.reload(forced);
    watch.set([...loader.files, ...(config === undefined ? [] : [config])]);
    check?.start(CHECK_MS);
    if (config === undefined) return;
    const now = await contentOf(config);
    if (now === reading) return;
    reading = now;
    out.line(onStderr("dim", `${relative(process.cwd(), config)} has changed: it counts from the next start on`));
    out.event("config.changed", { file: config });
  };
  const watch = await FileWatch.start(() => void reload());
  watch.set([...loader.files, ...(config === undefined ? [] : [config])]);
  // Something may have been written between the first load and now.
  void reload().then(() => check?.start(CHECK_FIRST_MS));
  const url = listening.observer?.url;
  const stopKeys = listenForKeys(
    [
      { key: "r", does: "load the pipeline again", run: () => reload(true) },
      { key: "u", does: "show the addresses", run: async () => out.line(await addressesText(listening)) },
      {
        key: "o",
        does: "open the dashboard",
        run: async () => {
          if (url !== undefined && !(await openBrowser(url))) out.line(`open ${onStderr("cyan", url)}`);
        },
      },
      { key: "q", does: "stop after the batch and quit", run: parts.quit },
    ],
    out,
  );
  return {
    async close() {
      stopKeys();
      check?.stop();
      await watch.close();
    },
  };
}

/** Tells faults of the types once, until they change. */
function typeTeller(out: LiveOutput): (faults: readonly TypeFault[]) => void {
  let before = "[]";
  return (faults) => {
    const text = JSON.stringify(faults);
    if (text === before) return;
    before = text;
    out.event("types", { errors: faults.map(({ code, message, place }) => ({ code, message, ...place })) });
    if (faults.length === 0) {
      out.line(`${onStderr("green", "types")} are right again`);
      return;
    }
    for (const { code, message, place } of faults.slice(0, FAULTS_SHOWN)) {
      const frame = codeFrame(place, onStderr("red", "x") !== "x").replace(/^(?=.)/gm, "        ");
      out.line(
        `${onStderr("yellow", "warning")} ${message}\n        at ${onStderr("cyan", placeText(place))} ${onStderr("dim", code)}\n\n${frame}\n`,
      );
    }
    const more = faults.length - FAULTS_SHOWN;
    if (more > 0) out.line(onStderr("dim", `        and ${more} more; \`npx tsc --noEmit\` shows all`));
  };
}

async function contentOf(file: string): Promise<string | undefined> {
  const { readFile } = await import("node:fs/promises");
  return readFile(file, "utf8").catch(() => undefined);
}
