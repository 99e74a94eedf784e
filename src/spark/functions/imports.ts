import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { MillraceError } from "../../errors.ts";

/** A name that a module imports: `default`, `*` for the whole module, or the export's name. */
export interface ImportedName {
  readonly specifier: string;
  readonly name: string;
}

/** What the top level of a module says of its names. */
export interface ModuleNames {
  readonly imports: ReadonlyMap<string, ImportedName>;
  /** Where the expression begins and ends that a `const` was made by. */
  readonly constants: ReadonlyMap<string, { readonly start: number; readonly end: number }>;
}

/** Reads a module's source; one that is no ES module has no names. */
export function namesOf(source: string): ModuleNames {
  const imports = new Map<string, ImportedName>();
  const constants = new Map<string, { start: number; end: number }>();
  let program: any;
  try {
    program = parse(source, { ecmaVersion: "latest", sourceType: "module", allowHashBang: true });
  } catch {
    return { imports, constants };
  }
  for (const node of program.body) {
    if (node.type === "ImportDeclaration") {
      for (const s of node.specifiers) {
        const name =
          s.type === "ImportDefaultSpecifier"
            ? "default"
            : s.type === "ImportNamespaceSpecifier"
              ? "*"
              : (s.imported.name ?? s.imported.value);
        imports.set(s.local.name, { specifier: node.source.value, name });
      }
    }
    const declaration = node.type === "ExportNamedDeclaration" ? node.declaration : node;
    if (declaration?.type !== "VariableDeclaration" || declaration.kind !== "const") continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type === "Identifier" && init) constants.set(id.name, { start: init.start, end: init.end });
    }
  }
  return { imports, constants };
}

/** An import of a bundle: a specifier as a module of the folder of `from` would resolve it. */
export interface BundledImport extends ImportedName {
  /** URL of the file that imports it. */
  readonly from: string;
}

const SCHEME = "millrace-import:";

/**
 * One ES module that exports what the imports give as `i0`, `i1`, ..., with everything that they need in it; only Node's built-in modules
 * stay imports. Throws FUNCTION_NOT_PORTABLE where a package cannot be bundled.
 */
export function bundleImports(imports: readonly BundledImport[], owner: string): Promise<string> {
  const key = JSON.stringify(imports);
  let bundle = bundles.get(key);
  if (bundle === undefined) {
    bundle = bundled(imports, owner);
    bundles.set(key, bundle);
    bundle.catch(() => bundles.delete(key));
  }
  return bundle;
}

const bundles = new Map<string, Promise<string>>();

async function bundled(imports: readonly BundledImport[], owner: string): Promise<string> {
  const { build } = await import("esbuild");
  const contents = imports
    .map(({ name }, i) =>
      name === "*"
        ? `export * as i${i} from "${SCHEME}${i}";`
        : `export { ${JSON.stringify(name)} as i${i} } from "${SCHEME}${i}";`,
    )
    .join("\n");
  const library = fileURLToPath(new URL("./worker/library.ts", import.meta.url));
  try {
    const result = await build({
      stdin: { contents, sourcefile: "imports.mjs", resolveDir: process.cwd(), loader: "js" },
      bundle: true,
      write: false,
      platform: "node",
      target: "node20",
      format: "esm",
      sourcemap: "inline",
      sourcesContent: false,
      logLevel: "silent",
      // What CommonJS packages expect around them.
      banner: {
        js: 'import { createRequire as __millraceRequire } from "node:module"; const require = __millraceRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;',
      },
      plugins: [
        {
          name: "millrace",
          setup(builder) {
            builder.onResolve({ filter: /^millrace-import:/ }, ({ path }) => {
              const wanted = imports[Number(path.slice(SCHEME.length))]!;
              if (wanted.specifier.startsWith("file:")) return { path: fileURLToPath(wanted.specifier) };
              if (wanted.specifier === "millrace") return { path: library };
              return builder.resolve(wanted.specifier, {
                kind: "import-statement",
                resolveDir: dirname(fileURLToPath(wanted.from)),
                importer: fileURLToPath(wanted.from),
              });
            });
            builder.onResolve({ filter: /^millrace$/ }, () => ({ path: library }));
          },
        },
      ],
    });
    return result.outputFiles[0]!.text;
  } catch (error) {
    const names = [...new Set(imports.map(({ specifier }) => specifier))].join(", ");
    throw new MillraceError("FUNCTION_NOT_PORTABLE", `What \`${owner}\` imports (${names}) cannot be bundled.`, {
      hint: "Functions on Spark can use packages of plain JavaScript; import others inside an embedded pipeline only.",
      cause: error,
      parameters: { function: owner, imports: names },
    });
  }
}
