import { defineConfig } from "vitest/config";

// Properties are tried on many cases; on a busy machine that takes longer than five seconds.
export default defineConfig({ test: { setupFiles: ["test/setup.ts"], testTimeout: 30_000 } });
