import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["test/shared-services.ts"],
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "web/src/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
