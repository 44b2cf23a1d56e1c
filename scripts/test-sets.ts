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
 * longer than most of them. Those that take longest come first.
 */
export const SHARED_PROCESS: readonly string[] = [
  "test/e2e",
  "packages/policy",
  "packages/mcp",
  "test/attacks",
  "packages/enclave",
  "packages/inspection",
  "packages/appraise",
  "packages/verify",
  "packages/audit",
  "packages/boundary",
  "packages/catalog",
  "packages/claim",
  "packages/cli",
  "packages/findings",
  "packages/flows",
  "packages/identity",
  "packages/launch",
  "packages/limits",
  "packages/oauth",
  "packages/log",
  "packages/measure",
  "packages/seal",
  "packages/session",
  "packages/spawner",
  "packages/wire",
  "attestation",
  "enclave-image",
  "host-proxy",
  "test/docs",
  "test/gates",
  "test/seal",
];

/** Those of them that take so long that the last processor would wait for one of them: each is two runs. */
const IN_HALVES: ReadonlySet<string> = new Set(["test/e2e", "packages/policy", "packages/enclave"]);

/** Test files in those folders that need a process of their own, for the state of the policy engine is the process's. */
const OWN_PROCESS: ReadonlySet<string> = new Set([
  "packages/policy/src/evaluate/engine.test.ts",
  "packages/policy/src/evaluate/engine-trap.test.ts",
]);

/** Test files that one run of the test runner takes. */
export interface TestRun {
  readonly isolation: "none" | "process";
  readonly files: readonly string[];
}

/** How files are run: those of each shared folder together, the others each in a process of its own. What takes longest comes first. */
export function runsOf(files: readonly string[]): TestRun[] {
  const isShared = (path: string): boolean => setOf(path) === "fast" && !OWN_PROCESS.has(path);
  const folderOf = (path: string): string =>
    (isShared(path) ? SHARED_PROCESS.find((folder) => path.startsWith(`${folder}/`)) : undefined) ?? "";
  const groups = Map.groupBy(files, folderOf);
  return ["", ...SHARED_PROCESS].flatMap((folder) => {
    const members = groups.get(folder);
    if (members === undefined) return [];
    const isolation = folder === "" ? "process" : "none";
    if (!IN_HALVES.has(folder)) return [{ isolation, files: members } as const];
    return [0, 1].map((half) => ({ isolation, files: members.filter((_, index) => index % 2 === half) }) as const);
  });
}
