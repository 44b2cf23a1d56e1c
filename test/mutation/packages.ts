/** What decides or verifies: the folder whose sources are changed, and the tests that have to notice. */
export interface Judged {
  readonly name: string;
  /** From the root of the repository. */
  readonly sources: string;
  /** Globs, from the root. All of these tests run in one process each, so that they see the change. */
  readonly tests: readonly string[];
}

const packaged = (name: string): Judged => ({
  name,
  sources: `packages/${name}/src`,
  tests: [`packages/${name}/src/**/*.test.ts`],
});

export const JUDGED: readonly Judged[] = [
  ...[
    "verify",
    "wire",
    "policy",
    "session",
    "inspection",
    "audit",
    "log",
    "claim",
    "appraise",
    "findings",
    "flows",
    "limits",
  ].map(packaged),
  {
    name: "seal",
    sources: "packages/seal/src",
    tests: ["packages/seal/src/**/*.test.ts", "test/seal/*.test.ts"],
  },
  { name: "attestation", sources: "attestation/src", tests: ["attestation/src/**/*.test.ts"] },
  ...["call", "record"].map((name) => ({
    name,
    sources: `packages/enclave/src/${name}`,
    tests: ["packages/enclave/src/**/*.test.ts"],
  })),
];
