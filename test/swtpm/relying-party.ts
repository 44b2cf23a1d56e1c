/** Relying party of a gateway on a TPM: it has enrolled the TPM's key. */
import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { untrusted } from "@cmcp/boundary";
import { readEvidenceFile, type EvidenceFile } from "../../packages/appraise/src/evidence/file/read.ts";
import { STRICT_TPM_POLICY } from "../../packages/appraise/src/tpm/policy.ts";
import { parseAttestationKey } from "../../packages/appraise/src/tpm/public-key.ts";
import { verifyTpm } from "../../packages/appraise/src/tpm/verify.ts";

/** An evidence file as a relying party reads it. */
export const readFileOf = (value: unknown): EvidenceFile =>
  readEvidenceFile(untrusted(new TextEncoder().encode(JSON.stringify(value))));

/** Names of the checks that failed, for a relying party that enrolled the TPM's key and expects this launch. */
export async function failures(
  { parts }: EvidenceFile,
  reportData: Uint8Array,
  launchDigest: string,
): Promise<string[]> {
  assert.ok(parts.provider === "tpm");
  const { tpm } = parts;
  const key = enrolledKey(tpm.attestationKey);
  const evidence = {
    quote: tpm.quote.attest,
    signature: tpm.quote.signature,
    attestationKey: tpm.attestationKey,
    certificates: tpm.certificates,
    registers: new Map([[tpm.bank, tpm.registers]]),
  };
  const expected = {
    reportData,
    launchDigest: new Uint8Array(Buffer.from(launchDigest.slice("sha256:".length), "hex")),
  };
  const { verified, checks } = await verifyTpm(
    { evidence, ...expected },
    { ...STRICT_TPM_POLICY, attestation_key_sha256: [key] },
    new Date(),
    webcrypto,
  );
  assert.ok(verified !== null);
  return checks.filter(({ status }) => status === "failed").map(({ name }) => name);
}

/** How a policy names a key that was enrolled. */
export const enrolledKey = (attestationKey: Uint8Array): string =>
  createHash("sha256").update(parseAttestationKey(attestationKey).key.spki).digest("hex");

/** Writes a policy that appraises nothing but the clock and whose key it is. Gives its path. */
export async function authenticOf(attestationKey: Uint8Array, folder: string): Promise<string> {
  const path = join(folder, "clock.json");
  await writeFile(
    path,
    JSON.stringify({
      platforms: ["tpm"],
      required: [],
      tpm: { attestation_key_sha256: [enrolledKey(attestationKey)] },
    }),
  );
  return path;
}
