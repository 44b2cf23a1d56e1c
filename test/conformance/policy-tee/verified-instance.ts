import { parseAppraisalPolicy, parseAttestationKey, readEvidenceFile, sha256Hex } from "@cmcp/appraise";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { untrusted } from "@cmcp/boundary";
import { verifyInstance, type InstanceVerdict } from "@cmcp/verify";
import { imageMatcher } from "../../../packages/cli/src/evidence/image.ts";
import { launchTerms } from "../../../packages/cli/src/verify/launch.ts";
import type { Target } from "./target.ts";
import { enrolled } from "./verifying.ts";

/** How a relying party judges an instance's report. It has the launch document and measurements, and knows the machine's TPM. */
export async function verifiedInstance(
  { measurements }: Target,
  report: Uint8Array,
  document: Uint8Array,
): Promise<InstanceVerdict> {
  const policy = await enrolledFor(report, measurements !== null);
  return await verifyInstance(
    { report },
    {
      now: new Date(),
      allowSoftwareOnly: false,
      appraisal: parseAppraisalPolicy(untrusted(Buffer.from(policy))),
      launch: { document, read: (bytes) => launchTerms(bytes, { bundles: [], catalogVersions: [] }) },
      ...(measurements === null ? {} : { image: await imageMatcher(measurements) }),
    },
    nodeCrypto,
  );
}

/** An appraisal policy that takes the TPM of a report; `measured` where it demands an accepted image. */
export async function enrolledFor(report: Uint8Array, measured: boolean): Promise<string> {
  return enrolled(await attestationKeyOf(report), measured);
}

/** SHA-256 of the TPM key that quoted, hex. Enrolling it is the machine's owner's act. */
async function attestationKeyOf(report: Uint8Array): Promise<string> {
  const { evidence_file: file } = JSON.parse(Buffer.from(report).toString()) as { evidence_file: unknown };
  const { parts } = readEvidenceFile(untrusted(Buffer.from(JSON.stringify(file))));
  if (parts.provider !== "tpm") throw new Error(`the evidence is of ${parts.provider}`);
  return await sha256Hex(nodeCrypto, parseAttestationKey(parts.tpm.attestationKey).key.spki);
}
