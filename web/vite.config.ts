import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
/** Where the process listens that `npm run web:dev` looks at. */
const target = process.env.MILLRACE_DASHBOARD ?? "http://127.0.0.1:4040";

export default defineConfig({
  root: here,
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // One script, one style sheet.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: { assetFileNames: "assets/[name]-[hash][extname]", entryFileNames: "assets/[name]-[hash].js" },
    },
    reportCompressedSize: false,
  },
  server: {
    // The process answers its own page only, so requests say that they come from it.
    proxy: Object.fromEntries(
      ["/api", "/metrics", "/healthz", "/readyz", "/millrace", "/map"].map((path) => [
        path,
        { target, changeOrigin: true, headers: { origin: target, "sec-fetch-site": "same-origin" } },
      ]),
    ),
  },
});
