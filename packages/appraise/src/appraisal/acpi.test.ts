import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { Machine, signedReport } from "../sev-snp/testing/machine.ts";
import { NOW } from "../testing/authority.ts";
import { preset } from "./load-policy.ts";
import { verifyEvidence } from "./verify-evidence.ts";
import type { MeasuredLaunch } from "./acpi.ts";

const machine = await Machine.make();
const key = await machine.key();
const report = await signedReport("Genoa", key);
const certificates = [key.der, machine.signing.VCEK.der, machine.root.der];

/** What a verdict says of ACPI for a genuine report of an image that was launched so. */
async function noted(launch: MeasuredLaunch): Promise<string | undefined> {
  const policy = { ...preset("strict"), sev_snp: machine.policy(), required: ["measurement" as const] };
  const { outcome, checks } = await verifyEvidence(
    "sev-snp",
    { evidence: report, certificates, collateral: [] },
    { policy, expected: { image: () => ({ name: "image", ...launch }) }, at: NOW },
    webcrypto,
  );
  assert.equal(outcome, "verified", "a warning rejects nothing");
  const check = checks.find(({ name }) => name === "ACPI unconstrained");
  assert.ok(check === undefined || check.status === "not-performed");
  return check?.why;
}

test("an image of one processor that boots with acpi=off leaves nothing to ACPI", async () => {
  for (const commandLine of ["acpi=off", "quiet acpi=off panic=-1", 'x="a b"\tacpi=off -- acpi=force'])
    assert.equal(await noted({ commandLine, vcpus: 1 }), undefined, commandLine);
});

test("any other command line, number of processors, or none measured, is said", async () => {
  for (const commandLine of [
    "",
    "quiet",
    "acpi=offset",
    "xacpi=off",
    'x="acpi=off"',
    'x="y acpi=off z"',
    'x="y acpi=off',
    "quiet -- acpi=off",
    "acpi=off acpi=force",
  ]) {
    assert.match(
      (await noted({ commandLine, vcpus: 1 })) ?? "",
      /^warning: the measured command line has no acpi=off:/,
      commandLine,
    );
  }
  assert.match((await noted({ commandLine: null, vcpus: 1 })) ?? "", /no command line is measured/);
  assert.match((await noted({ commandLine: "acpi=off", vcpus: 2 })) ?? "", /: 2 processors/);
  assert.match((await noted({ commandLine: "acpi=off", vcpus: null })) ?? "", /no number of processors/);
  assert.match((await noted({ commandLine: "", vcpus: 4 })) ?? "", /no acpi=off, and 4 processors/);
});
