import { defineConfig } from "millrace";

export default defineConfig({
  pipeline: "src/pipeline.ts",
});
