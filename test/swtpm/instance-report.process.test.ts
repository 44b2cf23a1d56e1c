/** The report that an instance on a TPM makes for a nonce. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { InstanceBinding } from "@cmcp/appraise/evidence";
import { instanceReportData, jwkThumbprint } from "@cmcp/attestation";
import { cmcp, Deployments, freshTpm, startAttested } from "./attested-gateway.ts";
import { authenticOf, failures, readFileOf } from "./relying-party.ts";

describe("an instance of a gateway on a TPM", () => {
  let deployments: Deployments;
  before(async () => {
    deployments = await Deployments.open();
  });
  after(() => deployments.close());

  test("an instance's report is for whoever's nonce it was asked with, and asking is limited", async (t) => {
    const swtpm = await freshTpm(t);
    if (swtpm === undefined) return;
    const { gateway, json } = await startAttested(t, await deployments.write("validity_seconds: 3600"), swtpm);
    const nonce = "0123456789abcdef";
    const { binding, evidence_file: evidence } = await json<{ binding: InstanceBinding; evidence_file: unknown }>(
      `/attestation?nonce=${nonce}`,
    );
    assert.equal(binding.nonce, nonce);
    const thumbprint = jwkThumbprint({ kty: "OKP", crv: "Ed25519", x: binding.keys["signing"] ?? "" });
    assert.deepEqual(
      await failures(readFileOf(evidence), instanceReportData(thumbprint, binding), gateway.launch_digest),
      [],
    );
    assert.deepEqual(
      await failures(
        readFileOf(evidence),
        instanceReportData(thumbprint, { ...binding, nonce: "another-nonce-00" }),
        gateway.launch_digest,
      ),
      ["report data"],
    );
    const { parts } = readFileOf(evidence);
    assert.ok(parts.provider === "tpm");
    const path = join(deployments.folder, "instance.json");
    await writeFile(path, JSON.stringify(evidence));
    const policy = await authenticOf(parts.tpm.attestationKey, deployments.folder);
    const verified = async (challenge: string): Promise<number> =>
      (
        await cmcp([
          "evidence",
          "verify",
          "--platform",
          "tpm",
          "--evidence",
          path,
          "--policy",
          policy,
          "--launch-digest",
          gateway.launch_digest.slice("sha256:".length),
          "--report-data",
          Buffer.from(instanceReportData(thumbprint, { ...binding, nonce: challenge })).toString("hex"),
        ])
      ).code;
    assert.deepEqual([await verified(nonce), await verified("another-nonce-00")], [0, 10], "with the command line");
    let refused: { error?: { code?: string } } = {};
    for (let asked = 0; asked < 40 && refused.error === undefined; asked += 1)
      refused = await json(`/attestation?nonce=${nonce}`);
    assert.equal(refused.error?.code, "OVERLOADED");
  });
});
