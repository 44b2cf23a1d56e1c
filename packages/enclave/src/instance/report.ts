import { toBase64Url, type JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile, type Evidence, type EvidenceJson, type InstanceBinding } from "@cmcp/appraise/evidence";
import { instanceReportData } from "@cmcp/attestation";
import type { SigningPair } from "@cmcp/oauth";
import type { ClientCertificate } from "./client-certificate.ts";
import type { Identity } from "./identity.ts";
import type { SealKeys } from "./seal-keys.ts";
import type { SigningKey } from "./signing-key.ts";

/** What a report of this instance commits to, besides policy and catalog. */
export interface ReportCommitments {
  readonly identity: Pick<Identity, "publicKey" | "signInstanceKey"> | null;
  readonly key: Pick<SigningKey, "jwk" | "thumbprint">;
  readonly clientCertificate: Pick<ClientCertificate, "spkiSha256"> | null;
  /** What the gateway proves itself by to authorization servers. */
  readonly clientKey: Pick<SigningPair, "thumbprint"> | null;
  readonly sealKeys: Pick<SealKeys, "name">;
  readonly config: { readonly attestation: { readonly enforcement_mode: InstanceBinding["enforcement_mode"] } };
  readonly launchDigest: string;
}

/** Hashes of the policy and the catalog that a report commits to, each `sha256:` and hex. */
export interface RulesHashes {
  readonly policy: string;
  readonly catalog: string;
}

/** A platform report of this instance, with the values that its `report_data` commits to. */
export interface InstanceReport {
  readonly binding: InstanceBinding;
  readonly evidence: {
    readonly platform: string;
    readonly measurement: string;
    readonly firmware: string;
    readonly report_data: string;
    readonly generated_at: string;
  };
  /** The identity's signature over this instance's key, if the platform can keep an identity. */
  readonly identity_signature?: string;
  /** The platform's evidence as an evidence file; absent for `software-only`, which signs nothing. */
  readonly evidence_file?: EvidenceJson;
}

/**
 * Asks the platform for a report that commits to a nonce, the keys, the policy, the catalog and the launch document.
 *
 * @param collect collects evidence over 64 bytes of report data
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`, `OVERLOADED`
 */
export async function instanceReport(
  commitments: ReportCommitments,
  rules: RulesHashes,
  nonce: string,
  collect: (reportData: Uint8Array) => Promise<Evidence>,
): Promise<InstanceReport> {
  const { identity, key, clientCertificate, clientKey, sealKeys, config, launchDigest } = commitments;
  const binding: InstanceBinding = {
    purpose: "instance-attestation",
    nonce,
    keys: {
      signing: key.jwk.x,
      ...(identity === null ? {} : { identity: identity.publicKey }),
      ...(clientCertificate === null ? {} : { tls: clientCertificate.spkiSha256 }),
      ...(clientKey === null ? {} : { oauth: clientKey.thumbprint }),
      seal: sealKeys.name,
    },
    policy_hash: rules.policy,
    catalog_hash: rules.catalog,
    enforcement_mode: config.attestation.enforcement_mode,
    launch_digest: launchDigest,
  };
  const evidence = await collect(instanceReportData(key.thumbprint, binding));
  const { platform, measurement, firmware, reportData, generatedAt, parts } = evidence;
  return {
    binding,
    evidence: {
      platform,
      measurement,
      firmware,
      report_data: toBase64Url(reportData),
      generated_at: new Date(generatedAt).toISOString(),
    },
    ...(identity === null ? {} : { identity_signature: toBase64Url(identity.signInstanceKey(key.thumbprint)) }),
    ...(parts.provider === "software-only"
      ? {}
      : {
          evidence_file: writeEvidenceFile(evidence, {
            binding: { ...binding, keys: { ...binding.keys } } satisfies JsonObject,
          }),
        }),
  };
}
