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

/**
 * Folders whose fast tests share one process: they change nothing that the others see, and starting a process for each file takes
 * longer than most of them.
 */
export const SHARED_PROCESS: readonly string[] = [
  "packages/appraise",
  "packages/audit",
  "packages/catalog",
  "packages/claim",
  "packages/cli",
  "packages/enclave/src/access",
  "packages/enclave/src/call",
  "packages/enclave/src/http",
  "packages/enclave/src/instance",
  "packages/findings",
  "packages/flows",
  "packages/identity",
  "packages/inspection",
  "packages/launch",
  "packages/limits",
  "packages/log",
  "packages/measure",
  "packages/session",
  "packages/spawner",
  "packages/verify",
  "packages/wire",
  "attestation",
  "enclave-image",
];

/** Test files that one run of the test runner takes. */
export interface TestRun {
  readonly isolation: "none" | "process";
  readonly files: readonly string[];
}

/** How files are run: those of each shared folder together, the others each in a process of its own. */
export function runsOf(files: readonly string[]): TestRun[] {
  const folderOf = (path: string): string | undefined =>
    setOf(path) === "fast" ? SHARED_PROCESS.find((folder) => path.startsWith(`${folder}/`)) : undefined;
  const groups = Map.groupBy(files, (path) => folderOf(path) ?? "");
  return [...groups].map(([folder, members]) => ({ isolation: folder === "" ? "process" : "none", files: members }));
}
