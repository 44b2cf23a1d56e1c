import { isZero, toHex } from "@cmcp/boundary";
import type { CheckRecorder } from "../../checks/check.ts";
import type { SevSnpPolicy } from "../policy.ts";
import { chipIdBytes } from "../product.ts";
import type { VerifiedSnpReport } from "../verified-report.ts";

const CODE = "EVIDENCE_POLICY_VIOLATION";

/** Which machine and whose key: report version, product, kind of key, cloud provider, chip. */
export function appraiseMachine(recorder: CheckRecorder, report: VerifiedSnpReport, policy: SevSnpPolicy): void {
  const { version, product, endorsementKey } = report;
  recorder.require("report version", version >= policy.min_report_version, CODE, {
    passed: `version ${version}`,
    failed: `version ${version}, at least ${policy.min_report_version} is accepted`,
  });
  const reserved = report.reservedIsZero && report.keyInfo.reservedIsZero;
  if (policy.reserved_fields === "any" && !reserved)
    recorder.notApplicable("reserved fields", "not zero; the policy accepts that");
  else
    recorder.require("reserved fields", reserved, CODE, {
      passed: "zero",
      failed: "bytes that this version reserves are not zero",
    });
  recorder.require("product allowed", policy.products.includes(product), CODE, {
    passed: product,
    failed: `${product} is not an accepted product`,
  });
  recorder.require("key kind allowed", policy.endorsement_keys.includes(endorsementKey.kind), CODE, {
    passed: endorsementKey.kind,
    failed: `signed by a ${endorsementKey.kind}, which is not accepted`,
  });
  const { cspId } = endorsementKey;
  if (cspId === undefined) recorder.notApplicable("cloud provider", "a VCEK is the chip's own");
  else
    recorder.require(
      "cloud provider",
      policy.vlek_providers.some((pattern) => matches(cspId, pattern)),
      CODE,
      { passed: cspId, failed: `the VLEK is of ${cspId}, which is not an accepted provider` },
    );
  appraiseChip(recorder, report, policy);
}

/** `*` stands for letters, digits and hyphens, so that it never spans a dot of a host name. */
function matches(text: string, pattern: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[^A-Za-z0-9]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join("[A-Za-z0-9-]*")}$`).test(text);
}

function appraiseChip(
  recorder: CheckRecorder,
  { chipId, product, endorsementKey }: VerifiedSnpReport,
  { chips }: SevSnpPolicy,
): void {
  const listed = chips.allow.length > 0 || chips.deny.length > 0;
  if (isZero(chipId)) {
    const masked = "CHIP_ID is masked";
    if (listed) recorder.fail("chip", CODE, `${masked}; the policy's lists of chips cannot be applied`);
    else if (endorsementKey.kind === "VLEK") recorder.notApplicable("chip", `${masked}, as providers with a VLEK do`);
    else if (chips.masked === "any") recorder.notPerformed("chip", `${masked}; the policy accepts that`);
    else recorder.fail("chip", CODE, `${masked} or was removed`);
    return;
  }
  const id = toHex(chipId.subarray(0, chipIdBytes(product)));
  const same = (entry: string): boolean => entry === id || entry === toHex(chipId);
  if (chips.deny.some(same))
    recorder.fail("chip", "EVIDENCE_REVOKED", `chip ${id} is on the policy's list of refused chips`);
  else if (chips.allow.length > 0)
    recorder.require("chip", chips.allow.some(same), CODE, {
      passed: "on the policy's list of accepted chips",
      failed: `chip ${id} is not on the policy's list of accepted chips`,
    });
  else recorder.notApplicable("chip", "the policy accepts any chip");
}

/** The signed ID block of the launch (AMD 56860, SNP_LAUNCH_FINISH), and what only it makes trustworthy. */
export function appraiseIdBlock(recorder: CheckRecorder, report: VerifiedSnpReport, { id_block }: SevSnpPolicy): void {
  const { idKeyDigest, authorKeyDigest, keyInfo, guestSvn } = report;
  const names: readonly (readonly [string, readonly string[], Uint8Array])[] = [
    ["ID key", id_block.id_key_digests, idKeyDigest],
    ["author key", id_block.author_key_digests, authorKeyDigest],
    ["family", id_block.family_ids, report.familyId],
    ["image", id_block.image_ids, report.imageId],
  ];
  const wanted = id_block.required || id_block.min_guest_svn > 0 || names.some(([, accepted]) => accepted.length > 0);
  if (!wanted)
    return recorder.notApplicable(
      "ID block",
      `${isZero(idKeyDigest) ? "none" : "signed by a key the policy does not name"}; the policy requires none`,
    );
  if (
    !recorder.require("ID block", !isZero(idKeyDigest), CODE, {
      passed: "signed",
      failed: "the guest was launched without a signed ID block",
    })
  )
    return;
  for (const [name, accepted, value] of names) {
    if (accepted.length === 0) continue;
    const holds = accepted.includes(toHex(value)) && (name !== "author key" || keyInfo.authorKey);
    recorder.require(name, holds, CODE, { passed: "an accepted one", failed: `${toHex(value)} is not accepted` });
  }
  if (id_block.min_guest_svn > 0)
    recorder.require("guest SVN", guestSvn >= id_block.min_guest_svn, CODE, {
      passed: `${guestSvn}`,
      failed: `${guestSvn}, at least ${id_block.min_guest_svn} is accepted`,
    });
}
