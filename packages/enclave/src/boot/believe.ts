import { hash } from "node:crypto";
import {
  parseAttestationKey,
  readAppraisalPolicy,
  readEvidenceFile,
  startRegisters,
  verifyEvidenceParts,
  withCertificates,
  type AppraisalPolicy,
  type EndorsedParts,
  type HardwareParts,
  type VerifiedEvidence,
} from "@cmcp/appraise";
import type { Evidence } from "@cmcp/appraise/evidence";
import { jwkThumbprint, jwkThumbprintText, reportDataOf } from "@cmcp/attestation";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { handOverBinding, type HandOver } from "@cmcp/audit";
import { asCmcpError, canonicalBytes, CmcpError, untrusted } from "@cmcp/boundary";
import type { AcceptedLaunch } from "./launch.ts";

/** What the appraisal of hand-overs needs. */
export interface AppraisalPorts {
  /** RFC 7638 thumbprint of this instance's signing key, 32 bytes. */
  readonly thumbprint: Uint8Array;
  /** Collects evidence of this instance over 64 bytes of report data. */
  readonly collect: (reportData: Uint8Array) => Promise<Evidence>;
  /** Says that a hand-over is not believed, and why. */
  readonly refused: (instance: string, why: string) => void;
}

/** The launch that decides whom this instance believes. */
type Launch = Pick<AcceptedLaunch, "config" | "digest" | "sha256" | "bytes" | "platform">;

type Registers = Readonly<Record<string, string | undefined>>;

/** A launch whose instances are believed: what the platform carries of its document, and the image it started. */
interface BelievedLaunch {
  readonly digest: Uint8Array | null;
  /** `null` for the image of this instance. */
  readonly registers: Registers | null;
}

/** How this instance was started, by its own evidence. */
interface OwnStart {
  readonly registers: Registers;
  readonly policy: AppraisalPolicy;
}

/**
 * Whether the launch document lets this instance believe what another one wrote: the other ran the same document, or
 * one that `log.predecessors` names, on the same kind of platform. On hardware its evidence says so, for the key of the
 * hand-over and an image that the document accepts. No date is asked for: the evidence is as old as the hand-over.
 *
 * @throws CmcpError `CONFIG_INVALID` for a `log.appraisal` that is no appraisal policy
 */
export function believesHandOver(launch: Launch, ports: AppraisalPorts): (handOver: HandOver) => Promise<boolean> {
  const launches = believedLaunches(launch);
  const policy = policyOf(launch);
  const certificates = launch.config.log.certificates.map((pem) => new TextEncoder().encode(pem));
  let starting: Promise<OwnStart> | null = null;
  const appraise = async (handOver: HandOver): Promise<void> => {
    const { platform } = launch.platform.launch;
    if (handOver.platform !== platform)
      throw unbelieved(`it is of ${handOver.platform}, and this instance of ${platform}`);
    const believed = launches.get(handOver.launch_digest);
    if (believed === undefined) throw unbelieved("log.predecessors does not name its launch document");
    if (platform === "software-only") return;
    starting ??= ownStart(launch, { policy, certificates, ports });
    await requireEvidence(handOver, { believed, own: await starting, certificates });
  };
  return async (handOver) => {
    try {
      await appraise(handOver);
      return true;
    } catch (thrown) {
      const { code, message } = asCmcpError(thrown, "INTERNAL", "the hand-over cannot be appraised");
      if (code !== "EVIDENCE_MALFORMED" && code !== "EVIDENCE_POLICY_VIOLATION") throw thrown;
      ports.refused(jwkThumbprintText(handOver.jwk), message);
      return false;
    }
  };
}

function unbelieved(why: string): CmcpError {
  return new CmcpError("EVIDENCE_POLICY_VIOLATION", why);
}

/** By the SHA-256 that hand-overs name their launch document with. */
function believedLaunches({ config, digest, sha256, bytes, platform }: Launch): Map<string, BelievedLaunch> {
  const isWide = platform.launch.platform === "intel-tdx";
  const launches = new Map<string, BelievedLaunch>();
  for (const { launch_digest, launch_digest_sha384, registers } of config.log.predecessors) {
    const carried = isWide ? launch_digest_sha384 : launch_digest;
    launches.set(launch_digest, {
      digest: carried === undefined ? null : Buffer.from(carried.slice("sha256:".length), "hex"),
      registers: registers ?? null,
    });
  }
  return launches.set(digest, { digest: isWide ? hash("sha384", bytes, "buffer") : sha256, registers: null });
}

/** What evidence of a machine like this one is appraised under. Image and launch document are compared beside it. */
function policyOf({ config }: Launch): AppraisalPolicy {
  try {
    const policy = readAppraisalPolicy(config.log.appraisal, "log.appraisal");
    const quote = { safe_clock: false };
    return {
      ...policy,
      required: ["report_data", "launch"],
      tpm: { ...policy.tpm, ...quote },
      azure_cvm: { ...policy.azure_cvm, vtpm: { ...policy.azure_cvm.vtpm, ...quote } },
    };
  } catch (thrown) {
    const { message } = asCmcpError(thrown, "APPRAISAL_POLICY_INVALID", "log.appraisal is not an appraisal policy");
    throw new CmcpError("CONFIG_INVALID", message, { cause: thrown });
  }
}

/**
 * What the platform says of this instance.
 * @throws CmcpError `EVIDENCE_POLICY_VIOLATION` where the policy does not accept this machine itself
 */
async function ownStart(
  launch: Launch,
  {
    policy: written,
    certificates,
    ports,
  }: { readonly policy: AppraisalPolicy; readonly certificates: readonly Uint8Array[]; readonly ports: AppraisalPorts },
): Promise<OwnStart> {
  const purpose = hash("sha256", canonicalBytes({ purpose: "own-start" }), "buffer");
  const reportData = reportDataOf(ports.thumbprint, purpose);
  const { parts } = await ports.collect(reportData);
  if (parts.provider === "software-only") throw unbelieved("this instance has no evidence");
  const policy = withOwnKey(written, parts);
  const digest = believedLaunches(launch).get(launch.digest)?.digest ?? null;
  const verified = await verify(
    { parts, collateral: [] },
    { policy, certificates, reportData, digest, at: new Date() },
  );
  return { registers: startRegisters(verified), policy };
}

/** A TPM's attestation key is as good for what it quoted before as it is for this instance. */
function withOwnKey(policy: AppraisalPolicy, parts: HardwareParts): AppraisalPolicy {
  if (parts.provider !== "tpm") return policy;
  const own = hash("sha256", parseAttestationKey(parts.tpm.attestationKey).key.spki);
  const { attestation_key_sha256: keys } = policy.tpm;
  return { ...policy, tpm: { ...policy.tpm, attestation_key_sha256: [...keys, own] } };
}

interface EvidenceToRequire {
  readonly believed: BelievedLaunch;
  readonly own: OwnStart;
  readonly certificates: readonly Uint8Array[];
}

/** @throws CmcpError `EVIDENCE_MALFORMED`, `EVIDENCE_POLICY_VIOLATION` */
async function requireEvidence(
  handOver: HandOver,
  { believed: { digest, registers }, own, certificates }: EvidenceToRequire,
): Promise<void> {
  if (handOver.evidence === undefined) throw unbelieved("it has no evidence");
  const file = readEvidenceFile(untrusted(canonicalBytes(handOver.evidence)));
  const { parts, collateral } = file;
  if (parts.provider === "software-only" || file.platform !== handOver.platform)
    throw unbelieved(`its evidence is of ${file.platform}`);
  const verified = await verify(
    { parts, collateral },
    {
      policy: own.policy,
      certificates,
      reportData: reportDataOf(jwkThumbprint(handOver.jwk), handOverBinding(handOver)),
      digest,
      at: new Date(handOver.boot_time),
    },
  );
  const accepted = registers ?? own.registers;
  for (const [name, value] of Object.entries(startRegisters(verified)))
    if (value === "" || accepted[name] !== value) throw unbelieved(`its ${name} is ${value || "not given"}`);
}

interface EvidenceTerms {
  readonly policy: AppraisalPolicy;
  readonly certificates: readonly Uint8Array[];
  readonly reportData: Uint8Array;
  readonly digest: Uint8Array | null;
  readonly at: Date;
}

/** @throws CmcpError `EVIDENCE_MALFORMED`, `EVIDENCE_POLICY_VIOLATION` with the first check that failed */
async function verify(
  evidence: EndorsedParts,
  { policy, certificates, reportData, digest, at }: EvidenceTerms,
): Promise<VerifiedEvidence> {
  if (digest === null)
    throw unbelieved("log.predecessors does not say what the platform carries of its launch document");
  const { outcome, verified, checks } = await verifyEvidenceParts(
    withCertificates(evidence, certificates),
    { policy, expected: { reportData, launchDigest: digest }, at },
    nodeCrypto,
  );
  if (outcome === "verified" && verified !== null) return verified;
  const failed = checks.find(({ status }) => status === "failed");
  throw unbelieved(failed === undefined ? "its evidence is not verified" : `${failed.name}: ${failed.why}`);
}
