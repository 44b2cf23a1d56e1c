import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError, toHex } from "@cmcp/boundary";
import { EAT_PROFILES, type EatProfile } from "@cmcp/claim/schema";
import {
  OUTCOME_EXIT,
  verifyClaim,
  verifyIncomplete,
  type EvidenceRecord,
  type Expectations,
  type LaunchTerms,
  type Verdict,
} from "@cmcp/verify";
import { hexOption, policyOf, timeOf } from "../evidence/inputs.ts";
import { imageMatcher } from "../evidence/image.ts";
import { readArguments } from "../arguments.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import type { Command } from "../command.ts";
import { ExportedLog } from "../log/exported-log.ts";
import { HEAD_HELP, HEAD_OPTIONS, headExpectations, trustedKeyOf } from "../log/head-options.ts";
import { readFileOf } from "../read-file.ts";
import { bundlePieces, readBundleFile } from "./bundle-file.ts";
import { launchTerms } from "./launch.ts";
import { printVerdict } from "./print-verdict.ts";
import { sessionTerms } from "./session-terms.ts";

const HASH = /^sha256:[0-9a-f]{64}$/;

const OPTIONS = {
  "audit-bundle": { type: "string" },
  receipt: { type: "string", multiple: true },
  "held-claim": { type: "string", multiple: true },
  log: { type: "string" },
  ...HEAD_OPTIONS,
  "policy-hash": { type: "string" },
  "catalog-hash": { type: "string" },
  "trusted-key": { type: "string" },
  "max-age": { type: "string" },
  "eat-profile": { type: "string" },
  at: { type: "string" },
  evidence: { type: "string" },
  certs: { type: "string", multiple: true },
  collateral: { type: "string", multiple: true },
  "earlier-evidence": { type: "string" },
  "appraisal-policy": { type: "string" },
  "launch-document": { type: "string" },
  "policy-bundle": { type: "string", multiple: true },
  "launch-digest": { type: "string" },
  measurement: { type: "string", multiple: true },
  measurements: { type: "string" },
  "allow-software-only": { type: "boolean", default: false },
  "allow-mode": { type: "string", multiple: true },
  "require-complete-history": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** Options that only a claim can answer: an interrupted session's export takes the others. */
const CLAIM_ONLY = [
  "held-claim",
  "log",
  "evidence",
  "certs",
  "collateral",
  "earlier-evidence",
  "appraisal-policy",
  "launch-document",
  "policy-bundle",
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
  --receipt FILE           a receipt an agent kept; may be given again. It must stand in the chain
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
  --certs FILE             certificates that the evidence file lacks: DER or PEM. May be given again
  --collateral FILE        revocation lists, TCB info, QE identity that it lacks. May be given again
  --earlier-evidence FILE  an evidence file that the same TPM gave before: its clock must not have gone back since
  --appraisal-policy FILE|PRESET  how the evidence is appraised (docs/reference/appraisal-policy.md); strict by default
  --launch-document FILE   the launch document the machine must have been started with, and that policy and catalog
                           must follow from
  --policy-bundle FOLDER   a bundle that replaced the launch document's: signed with the key it names, of a higher
                           version. Needed after a reload, for each; may be given again
  --launch-digest HEX      its digest instead: SHA-256, SHA-384 for TDX. A launch document in the evidence file that
                           has this digest is then held to as if it had been given
  --measurement HEX        an accepted measurement; may be given again
  --measurements FILE      measurements.json of the accepted image
  --allow-software-only    accept a claim without hardware evidence: integrity only; and a launch document of a
                           development instance
  --allow-mode MODE        accept a session that ran in this mode: advisory or silent, in which calls that policy
                           refuses are made all the same. May be given again; enforcing is accepted without it
  --require-complete-history  accept only a session whose instance knew all that earlier ones recorded
  --json                   the verdict as JSON

Exit codes: 0 accepted, 10 rejected, 20 unsupported, 30 malformed, 64 usage, 1 internal.
Example:    cmcp verify out/claim.json --audit-bundle out/audit-bundle.json --allow-software-only
`,
  async run(args, terminal) {
    const { values, positional: claimPath } = readArguments(args, OPTIONS, "CLAIM");
    if (values.log === undefined && (values["witness-policy"] ?? values["earlier-checkpoint"]) !== undefined)
      throw new CmcpError("USAGE", "--witness-policy and --earlier-checkpoint need --log");
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
          ...(values.log === undefined ? {} : { log: await ExportedLog.open(values.log) }),
          receipts: await Promise.all(receipt.map(readFileOf)),
          heldClaims: await Promise.all(held.map(readFileOf)),
        },
        expected,
        nodeCrypto,
      );
    } else if (bundlePath !== undefined) {
      const stray = CLAIM_ONLY.find((name) => values[name] !== undefined);
      if (stray !== undefined) throw new CmcpError("USAGE", `--${stray} needs the argument CLAIM`);
      verdict = await verifyIncomplete(
        { export: await readBundleFile(bundlePath), receipts: await Promise.all(receipt.map(readFileOf)) },
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

async function expectations(values: ReturnType<typeof readArguments<typeof OPTIONS>>["values"]): Promise<Expectations> {
  const {
    "policy-hash": policyHash,
    "catalog-hash": catalogHash,
    "trusted-key": trustedKey,
    "max-age": maxAge,
    "eat-profile": profile,
    at,
  } = values;
  for (const hash of [policyHash, catalogHash])
    if (hash !== undefined && !HASH.test(hash))
      throw new CmcpError("USAGE", "a hash is sha256: and 64 lowercase hex digits");
  if (maxAge !== undefined && !/^[0-9]{1,10}$/.test(maxAge))
    throw new CmcpError("USAGE", "--max-age is a number of seconds");
  const now = timeOf(at);
  const eatProfile: EatProfile | undefined =
    profile === undefined ? EAT_PROFILES[0] : EAT_PROFILES.find((known) => known === profile);
  if (eatProfile === undefined) throw new CmcpError("USAGE", `--eat-profile is one of ${EAT_PROFILES.join(", ")}`);
  const { "launch-document": launchDocument, "launch-digest": launchDigest, measurements, measurement } = values;
  const folders = values["policy-bundle"] ?? [];
  if (folders.length > 0 && launchDocument === undefined && launchDigest === undefined)
    throw new CmcpError(
      "USAGE",
      "--policy-bundle needs --launch-document or --launch-digest: the document's key must have signed it",
    );
  const bundles = await Promise.all(folders.map(loadBundleFolder));
  const readLaunch = (document: Uint8Array): LaunchTerms => launchTerms(document, bundles);
  return {
    appraisal: (await policyOf(values["appraisal-policy"], "--appraisal-policy")).policy,
    evidenceRequired: values["appraisal-policy"] !== undefined,
    ...(launchDocument === undefined
      ? {}
      : { launch: { document: await readFileOf(launchDocument), read: readLaunch } }),
    readLaunch,
    bundlesGiven: bundles.length > 0,
    ...(launchDigest === undefined
      ? {}
      : { launchDigest: toHex(hexOption("--launch-digest", launchDigest, [32, 48])) }),
    ...(measurement === undefined
      ? {}
      : {
          measurements: measurement.map((value) =>
            toHex(hexOption("--measurement", value.replace(/^sha(?:256|384):/, ""), [32, 48, 64])),
          ),
        }),
    ...(measurements === undefined ? {} : { image: await imageMatcher(measurements) }),
    now,
    eatProfile,
    allowSoftwareOnly: values["allow-software-only"],
    ...sessionTerms(values),
    ...(await headExpectations(values)),
    ...trustedKeyOf(trustedKey),
    ...(policyHash === undefined ? {} : { policyHash }),
    ...(catalogHash === undefined ? {} : { catalogHash }),
    ...(maxAge === undefined ? {} : { maxAgeSeconds: Number(maxAge) }),
  };
}
