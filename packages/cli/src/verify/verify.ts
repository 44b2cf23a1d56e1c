import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import { EAT_PROFILES, type EatProfile } from "@cmcp/claim/schema";
import {
  OUTCOME_EXIT,
  verifyClaim,
  verifyIncomplete,
  type EvidenceRecord,
  type Expectations,
  type Verdict,
} from "@cmcp/verify";
import { readArguments } from "../arguments.ts";
import type { Command } from "../command.ts";
import { ExportedLog } from "../log/exported-log.ts";
import { HEAD_HELP, HEAD_OPTIONS, headExpectations } from "../log/head-options.ts";
import { readFileOf } from "../read-file.ts";
import { anchorsIn } from "../manifest/anchors.ts";
import { bundlePieces, readBundleFile } from "./bundle-file.ts";
import { PIN_OPTIONS, pinsOf } from "./pin-options.ts";
import { printVerdict } from "./print-verdict.ts";
import { receiptsIn } from "./receipt-files.ts";
import { sessionTerms } from "./session-terms.ts";

const OPTIONS = {
  "audit-bundle": { type: "string" },
  receipt: { type: "string", multiple: true },
  "held-claim": { type: "string", multiple: true },
  log: { type: "string" },
  ...HEAD_OPTIONS,
  ...PIN_OPTIONS,
  "max-age": { type: "string" },
  "eat-profile": { type: "string" },
  evidence: { type: "string" },
  manifest: { type: "string" },
  "manifest-anchors": { type: "string" },
  "manifest-revocations": { type: "string" },
  "revocation-key": { type: "string", multiple: true },
  "earlier-evidence": { type: "string" },
  "require-complete-history": { type: "boolean", default: false },
  "require-sealed": { type: "boolean", default: false },
  "seal-keys": { type: "string" },
  "require-signed-provisioning": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** Options that only a claim can answer: an interrupted session's export takes the others. */
const CLAIM_ONLY = [
  "held-claim",
  "log",
  "evidence",
  "manifest",
  "manifest-anchors",
  "manifest-revocations",
  "revocation-key",
  "certs",
  "collateral",
  "earlier-evidence",
  "appraisal-policy",
  "launch-document",
  "policy-bundle",
  "catalog-versions",
  "launch-digest",
  "measurement",
  "measurements",
  "policy-hash",
  "catalog-hash",
  "max-age",
  "eat-profile",
  "at",
] as const;

/** `cmcp verify` */
export const verify: Command = {
  help: `Usage: cmcp verify CLAIM [options]
       cmcp verify --audit-bundle INCOMPLETE [options]

Verifies a claim offline, without trusting whoever made it, and lists every check as passed, failed, not
applicable or not performed. Without CLAIM, the bundle is the export of a session that a crash interrupted.

  --audit-bundle FILE      the session's audit bundle: chain, transcript and summary are derived again
  --receipt FILE           a receipt an agent kept, or several, one a line; may be given again. Each must stand in
                           the chain
  --held-claim FILE        another claim that somebody kept, earlier or later; may be given again. Both must be of
                           one history of one instance
  --log DIR                the gateway's log (cmcp log export): claim and receipts must be in it, which is computed from
                           its tiles
${HEAD_HELP}
  --policy-hash HASH       the policy bundle that must have been in force (cmcp policy hash)
  --catalog-hash HASH      the catalog that must have been in force (cmcp catalog hash)
  --trusted-key KEY        the only signing key accepted: base64url of 32 bytes. Of an interrupted session that of
                           the instance that answers for it
  --max-age SECONDS        the oldest claim accepted
  --at TIME                verify as of this time (ISO 8601); now by default
  --eat-profile PROFILE    the only profile accepted; TRACE v0.2 by default
  --evidence FILE          the evidence file beside the claim, for any platform but software-only
  --manifest FILE          the agent manifest that the claim was made under: its signature, and what it says of the agent,
                           policy and catalog, are held to claim and record
  --manifest-anchors FILE  the keys that may sign manifests: {keys: [{public_key_base64url, key_id, issuers}]}, or one key
  --manifest-revocations FILE  a list of revoked manifests (cmcp manifest revocations --out): it must be in force, and must
                           not revoke the manifest, its issuer or its key
  --revocation-key KEY     a key that may have signed the list: base64url of 32 bytes. May be given again
  --certs FILE             certificates that the evidence file lacks: DER or PEM. May be given again
  --collateral FILE        revocation lists, TCB info, QE identity that it lacks. May be given again
  --earlier-evidence FILE  an evidence file that the same TPM gave before: its clock must not have gone back since
  --appraisal-policy FILE|PRESET  how the evidence is appraised (docs/reference/appraisal-policy.md); strict by default
  --launch-document FILE   the launch document the machine must have been started with, and that policy and catalog
                           must follow from
  --policy-bundle FOLDER   a bundle that replaced the launch document's: signed with the key it names, of a higher
                           version. Needed after a reload, for each; may be given again
  --catalog-versions FILE  the versions of the catalog that replaced the launch document's, with their approvals
                           (cmcp catalog approve). Needed after another catalog came into force
  --launch-digest HEX      its digest instead: SHA-256, SHA-384 for TDX. A launch document in the evidence file that
                           has this digest is then held to as if it had been given
  --measurement HEX        an accepted measurement; may be given again
  --measurements FILE      measurements.json of the accepted image
  --allow-software-only    accept a claim without hardware evidence: integrity only; and a launch document of a
                           development instance
  --allow-mode MODE        accept a session that ran in this mode: advisory or silent, in which calls that policy
                           refuses are made all the same. May be given again; enforcing is accepted without it
  --require-complete-history  accept only a session whose instance knew all that earlier ones recorded
  --require-sealed         accept only a session whose requests were sealed, so that its host read none
  --seal-keys NAME         the keys that requests were sealed to, as the instance's report names them
                           (cmcp instance verify, "seal key"); the session must name the same
  --require-signed-provisioning  accept only a session whose tokens came in signed statements, and not from the host
  --json                   the verdict as JSON

Exit codes: 0 accepted, 10 rejected, 20 unsupported, 30 malformed, 64 usage, 1 internal.
Example:    cmcp verify out/claim.json --audit-bundle out/audit-bundle.json --allow-software-only
`,
  async run(args, terminal) {
    const { values, positional: claimPath } = readArguments(args, OPTIONS, "CLAIM");
    if (values.log === undefined && (values["witness-policy"] ?? values["earlier-checkpoint"]) !== undefined)
      throw new CmcpError("USAGE", "--witness-policy and --earlier-checkpoint need --log");
    if ((values.manifest === undefined) !== (values["manifest-anchors"] === undefined))
      throw new CmcpError("USAGE", "--manifest and --manifest-anchors need each other");
    requireRevocationOptions(values);
    const expected = await expectations(values);
    const { "audit-bundle": bundlePath, receipt = [], "held-claim": held = [] } = values;
    let verdict: Verdict;
    if (claimPath !== undefined) {
      const bundle = bundlePath === undefined ? {} : { bundle: bundlePieces(bundlePath) };
      verdict = await verifyClaim(
        {
          claim: await readFileOf(claimPath),
          ...bundle,
          ...(await evidenceOf(values)),
          ...(values.manifest === undefined ? {} : { manifest: await readFileOf(values.manifest) }),
          ...(values.log === undefined ? {} : { log: await ExportedLog.open(values.log) }),
          receipts: await receiptsIn(receipt),
          heldClaims: await Promise.all(held.map(readFileOf)),
        },
        expected,
        nodeCrypto,
      );
    } else if (bundlePath !== undefined) {
      const stray = CLAIM_ONLY.find((name) => values[name] !== undefined);
      if (stray !== undefined) throw new CmcpError("USAGE", `--${stray} needs the argument CLAIM`);
      verdict = await verifyIncomplete(
        { export: await readBundleFile(bundlePath), receipts: await receiptsIn(receipt) },
        expected,
        nodeCrypto,
      );
    } else {
      throw new CmcpError("USAGE", "CLAIM is required");
    }
    printVerdict(verdict, values.json, terminal);
    return OUTCOME_EXIT[verdict.outcome];
  },
};

async function evidenceOf({
  evidence,
  certs = [],
  collateral = [],
  "earlier-evidence": earlier,
}: ReturnType<typeof readArguments<typeof OPTIONS>>["values"]): Promise<EvidenceRecord> {
  return {
    ...(evidence === undefined ? {} : { evidence: await readFileOf(evidence) }),
    certificates: await Promise.all(certs.map(readFileOf)),
    collateral: await Promise.all(collateral.map(readFileOf)),
    ...(earlier === undefined ? {} : { earlierEvidence: await readFileOf(earlier) }),
  };
}

/** @throws CmcpError `USAGE` */
function requireRevocationOptions({
  manifest,
  "manifest-revocations": list,
  "revocation-key": keys = [],
}: ReturnType<typeof readArguments<typeof OPTIONS>>["values"]): void {
  if ((list === undefined) !== (keys.length === 0))
    throw new CmcpError("USAGE", "--manifest-revocations and --revocation-key need each other");
  if (list !== undefined && manifest === undefined)
    throw new CmcpError("USAGE", "--manifest-revocations needs --manifest");
  for (const key of keys)
    if (fromBase64Url(key)?.length !== 32) throw new CmcpError("USAGE", "--revocation-key is 32 bytes in base64url");
}

async function expectations(values: ReturnType<typeof readArguments<typeof OPTIONS>>["values"]): Promise<Expectations> {
  const { "max-age": maxAge, "eat-profile": profile } = values;
  const pins = await pinsOf(values);
  if (maxAge !== undefined && !/^[0-9]{1,10}$/.test(maxAge))
    throw new CmcpError("USAGE", "--max-age is a number of seconds");
  const eatProfile: EatProfile | undefined =
    profile === undefined ? EAT_PROFILES[0] : EAT_PROFILES.find((known) => known === profile);
  if (eatProfile === undefined) throw new CmcpError("USAGE", `--eat-profile is one of ${EAT_PROFILES.join(", ")}`);
  return {
    ...pins,
    eatProfile,
    ...sessionTerms(values),
    ...(await headExpectations(values)),
    ...(values["manifest-anchors"] === undefined
      ? {}
      : { manifestAnchors: await anchorsIn(values["manifest-anchors"]) }),
    ...(values["manifest-revocations"] === undefined
      ? {}
      : {
          manifestRevocations: {
            signedList: await readFileOf(values["manifest-revocations"]),
            keys: values["revocation-key"] ?? [],
          },
        }),
    ...(maxAge === undefined ? {} : { maxAgeSeconds: Number(maxAge) }),
  };
}
