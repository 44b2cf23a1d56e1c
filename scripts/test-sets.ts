/** Which test file is in which set: its name says so. */

/** `fast` is what `make test` runs; `process` and `long` are what `make test-all` runs beside it. */
export type TestSet = "fast" | "process" | "long";

/** Globs of every test file. */
export const EVERY_TEST: readonly string[] = [
  "packages/*/src/**/*.test.ts",
  "attestation/src/**/*.test.ts",
  "host-proxy/src/**/*.test.ts",
  "enclave-image/src/**/*.test.ts",
  "test/**/*.test.ts",
];

/** The one set of a test file: `*.process.test.ts` starts processes, `*.long.test.ts` takes long in one. */
export function setOf(path: string): TestSet {
  if (path.endsWith(".process.test.ts")) return "process";
  return path.endsWith(".long.test.ts") ? "long" : "fast";
}
