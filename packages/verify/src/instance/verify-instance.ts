import {
  instanceBindingInput,
  joinReportData,
  readEvidenceFile,
  sha256,
  thumbprintInput,
  verifySoftware,
  withCertificates,
  type EvidenceFile,
} from "@cmcp/appraise";
import { CmcpError, canonicalBytes, fromBase64Url, toBase64Url, toHex, untrusted } from "@cmcp/boundary";
import type { ReceivedInstanceReport } from "@cmcp/claim/schema";
import { Checklist } from "../checklist.ts";
import { VERIFIABLE, type EvidenceRecord } from "../claim/evidence.ts";
import { catalogProblem } from "../claim/launch.ts";
import { digestInRoot, checkDigestOfDocument } from "../claim/launch-digest.ts";
import { appraiseEvidence, type PlatformAssurance } from "../claim/platform.ts";
import { checkStatement } from "../claim/software.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";
import { parseInstanceReport } from "../parse.ts";
import { acceptedModes } from "../session/terms.ts";
import type { Check, Outcome, Verdict } from "../verdict.ts";

/** What a relying party expects of an instance. */
export type InstanceExpectations = Pick<
  Expectations,
  | "now"
  | "allowSoftwareOnly"
  | "allowModes"
  | "appraisal"
  | "launch"
  | "launchDigest"
  | "measurements"
  | "image"
  | "trustedKey"
  | "policyHash"
  | "catalogHash"
> & {
  /** The nonce that the report was asked with. Without one nothing shows that the report is of the present. */
  readonly nonce?: string;
};

/** An instance's report, and vendor material beside its evidence file. Its sender chooses every byte. */
export interface InstanceRecord extends Pick<EvidenceRecord, "certificates" | "collateral"> {
  /** The body of the answer to `GET /attestation`. */
  readonly report: Uint8Array;
}

/** The result of verifying an instance's report. */
export interface InstanceVerdict {
  readonly outcome: Outcome;
  readonly assurance: Verdict["assurance"];
  /** As claims name it, such as `amd-sev-snp`; `null` unless accepted. */
  readonly platform: string | null;
  /** `sha256:` or `sha384:` and hex; `null` unless accepted. */
  readonly measurement: string | null;
  /**
   * Public keys by name, base64url of 32 bytes: `signing` and `identity` are Ed25519 keys, and `tls` is the SHA-256 of the
   * SubjectPublicKeyInfo of the client certificate that the instance shows to tool servers. `oauth` is the RFC 7638 thumbprint of the key
   * that it proves itself by to authorization servers. `seal` is the SHA-256 of the list of keys that
   * requests are sealed to; records name those so. `null` unless accepted.
   */
  readonly keys: Readonly<Record<string, string>> | null;
  /** What else the report commits to; `null` unless accepted. */
  readonly binding: ReceivedInstanceReport["binding"] | null;
  /**
   * Key configurations that requests are sealed to (RFC 9458 section 3), which the instance signed; `null` unless
   * accepted, and where there are none.
   */
  readonly sealKeys: Uint8Array | null;
  readonly checks: readonly Check[];
}

const SEAL_PURPOSE = new TextEncoder().encode("cmcp-seal-keys-v1|");

interface Context {
  readonly crypto: VerifierCrypto;
  readonly report: ReceivedInstanceReport;
  readonly expected: InstanceExpectations;
  readonly list: Checklist;
}

/**
 * Verifies an instance's own report offline: that the platform's evidence carries the instance's keys, policy, catalog and launch, and
 * that they are the expected ones. Never throws for what the record holds: every finding is a check of the verdict.
 */
export async function verifyInstance(
  record: InstanceRecord,
  expected: InstanceExpectations,
  crypto: VerifierCrypto,
): Promise<InstanceVerdict> {
  const list = new Checklist();
  const report = list.attempt("report form", "EVIDENCE_MALFORMED", "strict JSON of the documented form", () =>
    parseInstanceReport(record.report),
  );
  if (report === null)
    return {
      outcome: list.outcome(),
      assurance: "none established",
      platform: null,
      measurement: null,
      keys: null,
      binding: null,
      sealKeys: null,
      checks: list.checks,
    };
  const context: Context = { crypto, report, expected, list };
  await checkDigestOfDocument(crypto, expected, list);
  const assurance = await checkEvidence(context, record);
  await checkPins(context);
  await checkIdentity(context);
  const sealKeys = await checkSealKeys(context);
  const outcome = list.outcome();
  const accepted = outcome === "accepted";
  return {
    outcome,
    assurance: accepted && assurance !== "none" ? assurance : "none established",
    platform: accepted ? report.evidence.platform : null,
    measurement: accepted ? report.evidence.measurement : null,
    keys: accepted ? report.binding.keys : null,
    binding: accepted ? report.binding : null,
    sealKeys: accepted ? sealKeys : null,
    checks: list.checks,
  };
}

/** The 64 bytes that the report's own keys and binding give. */
async function reportDataOf({ crypto, report: { binding } }: Context): Promise<Uint8Array> {
  const jwk = { kty: "OKP", crv: "Ed25519", x: binding.keys["signing"] ?? "" } as const;
  return joinReportData(
    await sha256(crypto, thumbprintInput(jwk)),
    await sha256(crypto, instanceBindingInput(binding)),
  );
}

/** @returns what the evidence is worth if every check holds */
async function checkEvidence(context: Context, record: InstanceRecord): Promise<PlatformAssurance> {
  const { report, list } = context;
  const reportData = await reportDataOf(context);
  list.require(
    "keys and binding in report data",
    report.binding.keys["signing"] !== undefined && report.evidence.report_data === toBase64Url(reportData),
    "PUBLIC_KEY_NOT_BOUND",
    {
      passed: "report data is made of the signing key and the binding",
      failed: "report data is made of another signing key or binding",
    },
  );
  if (report.evidence.platform === "software-only") {
    checkSoftwareReport(context);
    return "functional only";
  }
  const file = readFile(context);
  return file === null ? "none" : await checkHardwareReport(context, record, { file, reportData });
}

function checkSoftwareReport({ report: { evidence, evidence_file: file }, expected, list }: Context): void {
  const { measurement, firmware } = evidence;
  const statement = verifySoftware({ measurement, firmware, hasEvidence: file !== undefined });
  checkStatement(statement, { what: "report", allowSoftwareOnly: expected.allowSoftwareOnly }, list);
}

function readFile({ report: { evidence, evidence_file: written }, list }: Context): EvidenceFile | null {
  if (!VERIFIABLE.includes(evidence.platform)) {
    const why = `this version cannot verify evidence of ${evidence.platform}`;
    list.fail("platform evidence", "UNSUPPORTED_PROVIDER", why);
    return null;
  }
  if (written === undefined) {
    list.fail("platform evidence", "EVIDENCE_MISSING", `the report says ${evidence.platform} and has no evidence file`);
    return null;
  }
  const file = list.attempt("evidence file", "EVIDENCE_MALFORMED", "of the documented form", () =>
    readEvidenceFile(untrusted(canonicalBytes(written))),
  );
  if (file === null) return null;
  const same = file.platform === evidence.platform && file.parts.provider !== "software-only";
  if (same) return file;
  list.fail(
    "evidence platform",
    "CLAIM_INCONSISTENT",
    `the report says ${evidence.platform}, the evidence is of ${file.platform}`,
  );
  return null;
}

async function checkHardwareReport(
  context: Context,
  { certificates = [], collateral = [] }: InstanceRecord,
  { file, reportData }: { readonly file: EvidenceFile; readonly reportData: Uint8Array },
): Promise<PlatformAssurance> {
  const { report, list } = context;
  const evidence = list.attempt(
    "evidence given beside the file",
    "EVIDENCE_MALFORMED",
    "certificates can be read",
    () => {
      const { parts, collateral: own } = file;
      if (parts.provider === "software-only") throw new CmcpError("EVIDENCE_MALFORMED", "software-only is no evidence");
      return withCertificates({ parts, collateral: [...own, ...collateral] }, certificates);
    },
  );
  if (evidence === null) return "none";
  list.require(
    "report data in evidence file",
    toHex(file.claimedReportData) === toHex(reportData),
    "EVIDENCE_REPORT_DATA_MISMATCH",
    {
      passed: "the file says it was made for this report",
      failed: "the file says it was made for another report",
    },
  );
  return await appraiseEvidence(context, evidence, {
    what: "report",
    measurement: report.evidence.measurement,
    reportData,
  });
}

/** Nonce, key, mode, policy, catalog and launch are the expected ones. */
async function checkPins({ crypto, report: { binding }, expected, list }: Context): Promise<void> {
  const pinned = [
    ["nonce", binding.nonce, expected.nonce, "EVIDENCE_REPORT_DATA_MISMATCH", "--nonce"],
    ["trusted key", binding.keys["signing"], expected.trustedKey, "SIGNATURE_INVALID", "--trusted-key"],
    ["policy hash", binding.policy_hash, expected.policyHash, "POLICY_HASH_MISMATCH", "--policy-hash"],
    ["catalog hash", binding.catalog_hash, expected.catalogHash, "CATALOG_HASH_MISMATCH", "--catalog-hash"],
  ] as const;
  for (const [name, found, wanted, code, option] of pinned)
    if (wanted === undefined) list.notPerformed(name, `none was given (${option})`);
    else
      list.require(name, found === wanted, code, {
        passed: "the expected one",
        failed: `${found ?? "none"} is not the expected one`,
      });
  list.require("enforcement mode", acceptedModes(expected).includes(binding.enforcement_mode), "MODE_NOT_ACCEPTED", {
    passed: binding.enforcement_mode,
    failed: `${binding.enforcement_mode}: calls that policy refuses are made all the same`,
  });
  const known = await digestInRoot(crypto, expected);
  if (known === null)
    list.notPerformed("launch digest", "the launch document's SHA-256 is not known (--launch-document)");
  else
    list.require("launch digest", binding.launch_digest === `sha256:${known}`, "EVIDENCE_LAUNCH_NOT_BOUND", {
      passed: "the instance was launched with the expected document",
      failed: "the instance was launched with another document",
    });
  checkLaunch({ binding, expected, list });
}

/** Policy and catalog follow from the expected launch document. */
function checkLaunch({
  binding,
  expected,
  list,
}: {
  readonly binding: ReceivedInstanceReport["binding"];
  readonly expected: InstanceExpectations;
  readonly list: Checklist;
}): void {
  const { launch } = expected;
  if (launch === undefined) return;
  const terms = list.attempt("launch document", "LAUNCH_DOCUMENT_INVALID", "of the documented form", () =>
    launch.read(launch.document),
  );
  if (terms === null) return;
  const { catalog_hash: hash } = binding;
  const previous = terms.catalogHash;
  const problem = catalogProblem(terms, hash === previous ? [] : [{ hash, previous, version: null }]);
  list.require("catalog of launch", problem === null, problem?.code ?? "CATALOG_NOT_OF_LAUNCH", {
    passed: "the launch document's, or one that may follow it",
    failed: problem?.message ?? "",
  });
  list.attempt("policy of launch", "POLICY_NOT_OF_LAUNCH", "the launch document's, or one that may follow it", () => {
    if (!terms.versions.has(binding.policy_hash))
      throw new CmcpError(
        "POLICY_NOT_OF_LAUNCH",
        "neither the launch document's policy nor one that was given beside it (--policy-bundle)",
      );
    if (binding.policy_hash !== terms.policyHash) terms.requireMayFollow(binding.policy_hash, terms.policyHash);
  });
  list.require("development", !terms.development || expected.allowSoftwareOnly, "DEVELOPMENT_NOT_ACCEPTED", {
    passed: terms.development ? "explicitly accepted for this verification" : "not a development instance",
    failed: "a development instance is not accepted unless asked for",
  });
}

/** The keys that requests are sealed to are the instance's: its signing key, which the report binds, signed them. */
async function checkSealKeys({ crypto, report: { binding, seal }, list }: Context): Promise<Uint8Array | null> {
  if (seal === undefined) return null;
  const configs = fromBase64Url(seal.key_configs);
  const message = new Uint8Array([...SEAL_PURPOSE, ...(configs ?? [])]);
  const holds =
    configs !== undefined && (await verifyEd25519(crypto, binding.keys["signing"] ?? "", seal.signature, message));
  const named = binding.keys["seal"] === toBase64Url(await sha256(crypto, configs ?? new Uint8Array()));
  list.require("key configurations", holds, "SIGNATURE_INVALID", {
    passed: named
      ? "the report names the keys that requests are sealed to, and the instance signed them"
      : "the instance signed the keys that requests are sealed to, after this report",
    failed: "the instance did not sign the keys that requests are sealed to",
  });
  return holds ? configs : null;
}

/** The identity, where there is one, has signed the instance's key. */
async function checkIdentity({ crypto, report, list }: Context): Promise<void> {
  const { keys } = report.binding;
  const { identity_signature: signature } = report;
  const identity = keys["identity"];
  if (identity === undefined && signature === undefined) return;
  const jwk = { kty: "OKP", crv: "Ed25519", x: keys["signing"] ?? "" } as const;
  const prefix = new TextEncoder().encode("cmcp-identity-v1|");
  const thumbprint = await sha256(crypto, thumbprintInput(jwk));
  const message = new Uint8Array(prefix.length + thumbprint.length);
  message.set(prefix);
  message.set(thumbprint, prefix.length);
  const holds =
    identity !== undefined && signature !== undefined && (await verifyEd25519(crypto, identity, signature, message));
  list.require("identity signature", holds, "SIGNATURE_INVALID", {
    passed: "the gateway's identity signed the instance's key",
    failed: "the gateway's identity did not sign the instance's key",
  });
}
