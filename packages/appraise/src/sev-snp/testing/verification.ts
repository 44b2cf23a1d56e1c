import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { NOW } from "../../testing/authority.ts";
import { Machine, signedReport, type KeyOptions, type ReportOptions } from "./machine.ts";
import { verifySevSnp, type SnpInput } from "../verify.ts";

/** A machine, its endorsement key and a report of it. */
export const genoa = await Machine.make("Genoa");
export const key = await genoa.key();
export const report = await signedReport("Genoa", key);

/** Verifies the report with other input or another policy. */
export async function run(
  input: Partial<SnpInput>,
  policy = genoa.policy(),
): Promise<{
  readonly verified: boolean;
  readonly failed: readonly string[];
  readonly check: (name: string) => string | undefined;
}> {
  const { verified, checks } = await verifySevSnp(
    { report, certificates: [key.der, genoa.signing.VCEK.der, genoa.root.der], ...input },
    policy,
    NOW,
    webcrypto,
  );
  return {
    verified: verified !== null,
    failed: checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`),
    check: (wanted) => checks.find(({ name }) => name === wanted)?.status,
  };
}

/** The checks that fail for a report under another endorsement key. */
export async function authenticity(
  keyOptions: KeyOptions,
  reportOptions: ReportOptions = {},
  machine = genoa,
): Promise<readonly string[]> {
  const { verified, failed } = await machine.verify({ key: keyOptions, report: reportOptions });
  assert.equal(verified === null, failed.length > 0);
  return failed;
}
