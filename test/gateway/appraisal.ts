import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { untrusted } from "@cmcp/boundary";
import { readEvidenceFile } from "../../packages/appraise/src/evidence/file/read.ts";
import { parseAttestationKey } from "../../packages/appraise/src/tpm/public-key.ts";
import { clientOf } from "./client.ts";
import type { Gateway } from "./gateway.ts";

/** A session, the token of whoever may see it, and a folder for what its auditor is given. */
export interface Audited {
  readonly token: string;
  readonly session: string;
  readonly folder: string;
}

/** How an auditor who enrolled the TPM's key judges a session: its evidence, and an appraisal policy that demands `required`. */
export async function tpmArguments(
  gateway: Gateway,
  { token, session, folder }: Audited,
  required: readonly string[],
): Promise<string[]> {
  const evidence = JSON.stringify(await clientOf(gateway, token).json(`/sessions/${session}/evidence`));
  const { parts } = readEvidenceFile(untrusted(new TextEncoder().encode(evidence)));
  if (parts.provider !== "tpm") throw new Error(`the evidence is of ${parts.provider}`);
  const key = createHash("sha256").update(parseAttestationKey(parts.tpm.attestationKey).key.spki).digest("hex");
  const [evidencePath, policyPath] = [join(folder, "evidence.json"), join(folder, "appraisal-policy.json")];
  await writeFile(evidencePath, evidence);
  await writeFile(policyPath, JSON.stringify({ platforms: ["tpm"], required, tpm: { attestation_key_sha256: [key] } }));
  return ["--evidence", evidencePath, "--appraisal-policy", policyPath];
}

/**
 * How an auditor accepts the development gateway that a test has: for what it is, and in a machine only with evidence
 * of the published image and of its launch.
 */
export async function platformArguments(gateway: Gateway, audited: Audited): Promise<string[]> {
  if ((await clientOf(gateway, audited.token).json("/v1/status"))["platform"] === "software-only")
    return ["--allow-software-only"];
  const { published } = await import("../vm/image.ts");
  const launch = gateway.launch_digest.slice("sha256:".length);
  // Which also accepts that the launch document is of a development instance.
  return [
    "--allow-software-only",
    ...(await tpmArguments(gateway, audited, ["report_data", "measurement", "launch"])),
    "--measurements",
    published("measurements.json"),
    "--launch-digest",
    launch,
  ];
}
