import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { geography } from "./geography.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
/** Where the process listens that `vite` looks at while the page is written. */
const target = process.env.MILLRACE_DASHBOARD ?? "http://127.0.0.1:4040";

/** The map is computed when the page is built. */
function map(): Plugin {
  const name = "virtual:geography";
  return {
    name: "geography",
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: async (id) =>
      id === `\0${name}`
        ? `export const geography = JSON.parse(${JSON.stringify(JSON.stringify(await geography()))});`
        : undefined,
  };
}

export default defineConfig({
  root: here,
  // The page does not know under which path it is served.
  base: "./",
  plugins: [map()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  resolve: { alias: { "millrace/client": fileURLToPath(new URL("../../../src/client/index.ts", import.meta.url)) } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    // The process answers its own page only, so requests say that they come from it.
    proxy: { "/api": { target, changeOrigin: true, headers: { origin: target, "sec-fetch-site": "same-origin" } } },
  },
});
