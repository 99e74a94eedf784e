import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";

/** `compilerOptions.paths` and `baseUrl` of one tsconfig.json with what it extends. */
interface Paths {
  /** Where patterns are resolved from; `baseUrl` alone makes every bare name a candidate. */
  readonly base: string;
  readonly patterns: readonly {
    readonly prefix: string;
    readonly suffix: string;
    readonly exact: boolean;
    readonly targets: readonly string[];
  }[];
  readonly baseUrl: string | undefined;
}

/** Finds what the aliases of tsconfig.json stand for. */
export class TsconfigPaths {
  readonly #byFolder = new Map<string, Paths | undefined>();

  /** Paths that the specifier may stand for in a file of this folder, the best first; none where it is no alias. */
  candidates(specifier: string, folder: string): string[] {
    const paths = this.#of(folder);
    if (paths === undefined) return [];
    const matching = paths.patterns
      .filter(({ prefix, suffix, exact }) =>
        exact
          ? specifier === prefix
          : specifier.startsWith(prefix) &&
            specifier.endsWith(suffix) &&
            specifier.length >= prefix.length + suffix.length,
      )
      .sort((a, b) => Number(b.exact) - Number(a.exact) || b.prefix.length - a.prefix.length);
    const found = (matching[0]?.targets ?? []).map((target) => {
      const { prefix, suffix } = matching[0]!;
      const middle = specifier.slice(prefix.length, specifier.length - suffix.length);
      return resolve(
        paths.base,
        target.replace("*", () => middle),
      );
    });
    if (paths.baseUrl !== undefined) found.push(resolve(paths.baseUrl, specifier));
    return found;
  }

  /** Files may have changed. */
  forget(): void {
    this.#byFolder.clear();
  }

  #of(folder: string): Paths | undefined {
    if (this.#byFolder.has(folder)) return this.#byFolder.get(folder);
    const file = join(folder, "tsconfig.json");
    const parent = dirname(folder);
    const found = existsSync(file) ? read(file, new Set()) : parent === folder ? undefined : this.#of(parent);
    this.#byFolder.set(folder, found);
    return found;
  }
}

function read(file: string, seen: Set<string>): Paths | undefined {
  if (seen.has(file) || !existsSync(file)) return undefined;
  seen.add(file);
  let config: { extends?: string | string[]; compilerOptions?: { paths?: Record<string, string[]>; baseUrl?: string } };
  try {
    config = JSON.parse(withoutComments(readFileSync(file, "utf8")));
  } catch {
    // TypeScript itself tells what is wrong with it.
    return undefined;
  }
  const folder = dirname(file);
  let inherited: Paths | undefined;
  for (const parent of [config.extends ?? []].flat()) inherited = read(extended(parent, file), seen) ?? inherited;
  const { paths, baseUrl } = config.compilerOptions ?? {};
  const base = baseUrl === undefined ? inherited?.baseUrl : resolve(folder, baseUrl);
  if (paths === undefined) {
    if (baseUrl === undefined) return inherited;
    return { base: base!, patterns: inherited?.patterns ?? [], baseUrl: base };
  }
  const patterns = Object.entries(paths).map(([pattern, targets]) => {
    const star = pattern.indexOf("*");
    return {
      prefix: star < 0 ? pattern : pattern.slice(0, star),
      suffix: star < 0 ? "" : pattern.slice(star + 1),
      exact: star < 0,
      targets,
    };
  });
  return { base: base ?? folder, patterns, baseUrl: base };
}

function extended(parent: string, file: string): string {
  if (parent.startsWith(".") || isAbsolute(parent)) {
    const path = resolve(dirname(file), parent);
    return existsSync(path) ? path : `${path}.json`;
  }
  const require = createRequire(file);
  for (const name of [parent, `${parent}.json`, `${parent}/tsconfig.json`]) {
    try {
      return require.resolve(name);
    } catch {
      // another spelling
    }
  }
  return join(dirname(file), parent);
}

/** JSON as TypeScript reads it: with comments and commas before a closing bracket. */
function withoutComments(text: string): string {
  return text
    .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, string: string | undefined) => string ?? "")
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string: string | undefined) => string ?? "");
}
