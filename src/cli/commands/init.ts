import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { nearest } from "../../errors.ts";
import { type CommonOptions, EXIT, note, onStderr, print, report, UsageError } from "../output.ts";
import {
  detectPackageManager,
  installArguments,
  PACKAGE_MANAGERS,
  type PackageManager,
  runIn,
  typed,
} from "../project/package-manager.ts";
import { dependencyOn } from "../project/package-source.ts";
import {
  bringNode,
  filesInTheWay,
  packageNameOf,
  TEMPLATES,
  type TemplateName,
  writeTemplate,
} from "../project/templates.ts";

export interface InitOptions extends CommonOptions {
  template?: string;
  yes?: boolean;
  /** `--no-install` */
  install: boolean;
  /** `--no-git` */
  git: boolean;
  packageManager?: string;
}

const DEFAULT_FOLDER = "my-pipeline";
const DEFAULT_TEMPLATE: TemplateName = "flights";

/** `millrace init [NAME]`: writes a project, installs what it needs, says how to go on. */
export async function init(given: string | undefined, options: InitOptions): Promise<number> {
  try {
    const template = options.template === undefined ? undefined : templateOf(options.template);
    const manager = managerOf(options.packageManager);
    if (given !== undefined) refuseUsed(resolve(given), given);
    const answers = await ask({ folder: given, template }, options);
    if (answers === undefined) return EXIT.interrupted;
    const folder = resolve(answers.folder);
    refuseUsed(folder, answers.folder);

    const name = packageNameOf(folder);
    const files = writeTemplate(answers.template, folder, { NAME: name, MILLRACE: dependencyOn(folder) });
    const ownNode = bringNode(folder);
    const say = options.json ? () => {} : note;
    say(`${onStderr("green", "created")}   ${files.length} files in ${shown(folder)}, template ${answers.template}`);
    if (ownNode !== undefined) {
      say(
        `${onStderr("green", "node")}      ${process.versions.node} is too old for pipelines: the project gets its own, ${ownNode}`,
      );
    }
    const git = options.git && (await startRepository(folder));
    const installed = options.install ? await install(folder, manager, options) : undefined;
    if (options.json) {
      print(
        JSON.stringify({ folder, name, template: answers.template, files, git, packageManager: manager, installed }),
      );
    } else {
      const cd = folder === process.cwd() ? [] : [`cd ${shown(folder)}`];
      const rest = installed === undefined ? [typed(manager, "install")] : [];
      note("\nNow:");
      for (const line of [...cd, ...rest]) note(`  ${onStderr("cyan", line)}`);
      note(`  ${onStderr("cyan", typed(manager, "dev").padEnd(18))} runs the pipeline; Ctrl-C ends`);
      note(`  ${onStderr("cyan", typed(manager, "test").padEnd(18))} runs its tests`);
    }
    return EXIT.ok;
  } catch (error) {
    return report(error, options);
  }
}

interface Answers {
  readonly folder: string;
  readonly template: TemplateName;
}

/** Asks for what was not given, on a terminal only; undefined when the user thought better of it. */
async function ask(
  given: { readonly folder: string | undefined; readonly template: TemplateName | undefined },
  options: InitOptions,
): Promise<Answers | undefined> {
  const { folder, template } = given;
  if (folder !== undefined && template !== undefined) return { folder, template };
  // A terminal that does not know its width cannot show a question.
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY && process.stderr.columns > 0;
  const silent = options.yes === true || options.json === true || !isTerminal;
  if (silent) {
    if (folder === undefined && options.yes !== true) {
      throw new UsageError("The name of the project is missing.", "Give one, `millrace init demo`, or say --yes.");
    }
    return { folder: folder ?? DEFAULT_FOLDER, template: template ?? DEFAULT_TEMPLATE };
  }
  const { cancel, intro, isCancel, select, text } = await import("@clack/prompts");
  const output = process.stderr;
  intro("A new Millrace project", { output });
  const name =
    folder ??
    (await text({
      message: "Where?",
      placeholder: DEFAULT_FOLDER,
      defaultValue: DEFAULT_FOLDER,
      output,
      validate: (value) => {
        const inTheWay = filesInTheWay(resolve(value || DEFAULT_FOLDER));
        return inTheWay.length > 0 ? "That folder is not empty." : undefined;
      },
    }));
  const chosen = isCancel(name)
    ? name
    : (template ??
      (await select({
        message: "What does it start with?",
        options: Object.entries(TEMPLATES).map(([value, hint]) => ({
          value: value as TemplateName,
          label: value,
          hint,
        })),
        initialValue: DEFAULT_TEMPLATE,
        output,
      })));
  if (isCancel(name) || isCancel(chosen)) {
    cancel("Nothing was written.", { output });
    return undefined;
  }
  return { folder: name, template: chosen };
}

function templateOf(given: string): TemplateName {
  if (Object.hasOwn(TEMPLATES, given)) return given as TemplateName;
  const known = Object.keys(TEMPLATES);
  const near = nearest(given, known);
  throw new UsageError(
    `There is no template ${given}.`,
    `${near === undefined ? "" : `Did you mean ${near}? `}There are ${known.join(", ")}.`,
  );
}

function managerOf(given: string | undefined): PackageManager {
  if (given === undefined) return detectPackageManager();
  const known = PACKAGE_MANAGERS.find((name) => name === given);
  if (known !== undefined) return known;
  throw new UsageError(`--package-manager cannot be ${given}.`, `Give ${PACKAGE_MANAGERS.join(", ")}.`);
}

function refuseUsed(folder: string, given: string): void {
  const inTheWay = filesInTheWay(folder);
  if (inTheWay.length === 0) return;
  if (existsSync(folder) && !statSync(folder).isDirectory()) {
    throw new UsageError(`${given} is a file.`, "Give another name.");
  }
  const some = inTheWay.slice(0, 3).join(", ") + (inTheWay.length > 3 ? ", ..." : "");
  throw new UsageError(
    `The folder ${given} is not empty (${some}).`,
    "Give the name of a new folder; nothing was written.",
  );
}

/** A repository of its own, where there is none around it; false when git is not there or not wanted. */
async function startRepository(folder: string): Promise<boolean> {
  const inside = await runIn(folder, "git", ["rev-parse", "--is-inside-work-tree"]);
  if (inside.code === undefined || inside.code === 0) return false;
  return (await runIn(folder, "git", ["init", "--quiet"])).code === 0;
}

interface Installed {
  readonly seconds: number;
  readonly megabytes: number;
}

async function install(folder: string, manager: PackageManager, options: InitOptions): Promise<Installed> {
  const startedAt = performance.now();
  const spinning = options.json ? undefined : spin(`installing with ${manager}`);
  const ended = await runIn(folder, manager, installArguments(manager));
  spinning?.();
  if (ended.code !== 0) {
    if (!options.json && ended.output !== "") note(onStderr("dim", ended.output));
    const why = ended.code === undefined ? "could not be started" : `ended with ${ended.code}`;
    throw new Error(
      `${typed(manager, "install")} ${why}. The project is complete: install in ${shown(folder)} when the cause is gone.`,
    );
  }
  const found = { seconds: rounded((performance.now() - startedAt) / 1000), megabytes: sizeOf(folder) };
  if (!options.json) note(`${onStderr("green", "installed")} ${found.megabytes} MB in ${found.seconds} s`);
  return found;
}

const rounded = (n: number): number => Math.round(n * 10) / 10;

function sizeOf(folder: string): number {
  const modules = join(folder, "node_modules");
  if (!existsSync(modules)) return 0;
  let bytes = 0;
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return Math.round(bytes / 1e6);
}

/** A moving line while something takes long; only on a terminal. Gives what ends it. */
function spin(what: string): () => void {
  if (!process.stderr.isTTY) return () => {};
  const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
  const startedAt = Date.now();
  const draw = (): void => {
    const seconds = Math.floor((Date.now() - startedAt) / 1000);
    const frame = frames[Math.floor(Date.now() / 100) % frames.length];
    process.stderr.write(`\r${frame} ${what} ${seconds > 1 ? `${seconds} s` : ""}`);
  };
  const timer = setInterval(draw, 100);
  draw();
  return () => {
    clearInterval(timer);
    process.stderr.write("\r\x1b[2K");
  };
}

/** A folder as people would type it from here. */
function shown(folder: string): string {
  const path = relative(process.cwd(), folder);
  return path === "" ? "." : path.startsWith("..") ? folder : path;
}
