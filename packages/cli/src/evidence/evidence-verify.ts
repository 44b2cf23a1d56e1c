import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { toHex } from "@cmcp/boundary";
import {
  attestationResult,
  earlierEvidencePolicy,
  verifyEvidence,
  type EvidenceFiles,
  type EvidenceVerdict,
} from "@cmcp/appraise";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { readFileOf } from "../read-file.ts";
import { imageMatcher } from "./image.ts";
import { hexOption, platformOf, policyOf, timeOf } from "./inputs.ts";

const OPTIONS = {
  platform: { type: "string" },
  evidence: { type: "string" },
  certs: { type: "string", multiple: true, default: [] as string[] },
  collateral: { type: "string", multiple: true, default: [] as string[] },
  "event-log": { type: "string" },
  "report-data": { type: "string" },
  measurement: { type: "string", multiple: true, default: [] as string[] },
  measurements: { type: "string" },
  "launch-digest": { type: "string" },
  earlier: { type: "string" },
  policy: { type: "string" },
  at: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const OUTCOME_EXIT = {
  verified: EXIT.ok,
  rejected: EXIT.rejected,
  malformed: EXIT.malformed,
} as const satisfies Record<EvidenceVerdict["outcome"], number>;

/** `cmcp evidence verify` */
export const evidenceVerify: Command = {
  help: `Usage: cmcp evidence verify --platform PLATFORM --evidence FILE [options]

Verifies hardware evidence offline and lists every check as passed, failed, not applicable, or not performed and
why. Verified needs authentic evidence, no failed check, and every check that the policy requires.

  --platform PLATFORM    sev-snp, tdx, tpm or azure-cvm
  --evidence FILE        the report or quote, in bytes, hex or base64; a JSON document with all parts; or the
                         evidence file beside a claim
  --certs FILE           certificates: DER, PEM or a host's certificate table; for tpm and azure-cvm also the
                         signature, key and register files beside a bare quote. May be given again
  --collateral FILE      revocation lists, TCB info, QE identity, in the vendor's own bytes. May be given again
  --event-log FILE       the firmware's event log
  --report-data HEX      the 64 bytes the evidence was to carry, or the nonce of a TPM quote
  --measurement HEX      an accepted measurement: launch digest, MRTD, or digest of the quoted PCRs. May be given again
  --measurements FILE    measurements.json of the accepted image (cmcp measure)
  --launch-digest HEX    digest of the launch document: 32 bytes, 48 on TDX
  --earlier FILE         what the same TPM gave before, in one file: its clock must not have gone back since
  --policy FILE|PRESET   the appraisal policy (docs/reference/appraisal-policy.md): a file, or strict (the default),
                         authenticity-only, self-hosted-snp, self-hosted-tdx, azure-snp, azure-tdx, gcp, aws-snp, vtpm
  --at TIME              verify as of this time (ISO 8601); now by default
  --json                 the verdict as JSON, with an attestation result (EAR)

Exit codes: 0 verified, 10 rejected, 30 malformed, 64 usage, 1 internal.
Example:    cmcp evidence verify --platform sev-snp --evidence report.bin --certs vcek.der --policy authenticity-only
`,
  async run(args, terminal) {
    const { values } = readArguments(args, OPTIONS);
    const platform = platformOf(required(values.platform, "--platform"));
    const { id, policy } = await policyOf(values.policy);
    const files = await filesOf(values);
    const at = timeOf(values.at);
    const earlier =
      values.earlier === undefined
        ? {}
        : {
            earlier: await verifyEvidence(
              platform,
              { ...NOTHING_BESIDE, evidence: await readFileOf(values.earlier) },
              { policy: earlierEvidencePolicy(policy), expected: {}, at },
              nodeCrypto,
            ),
          };
    const image = values.measurements === undefined ? {} : { image: await imageMatcher(values.measurements) };
    const verdict = await verifyEvidence(
      platform,
      files,
      { policy, expected: { ...expectations(platform, values), ...image, ...earlier }, at },
      nodeCrypto,
    );
    if (values.json) terminal.out.write(`${JSON.stringify(asJson(verdict, id))}\n`);
    else print(verdict, id, terminal);
    return OUTCOME_EXIT[verdict.outcome];
  },
};

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

const NOTHING_BESIDE = { certificates: [], collateral: [] } as const;

async function filesOf({ evidence, certs, collateral, "event-log": eventLog }: Values): Promise<EvidenceFiles> {
  return {
    evidence: await readFileOf(required(evidence, "--evidence")),
    certificates: await Promise.all(certs.map(readFileOf)),
    collateral: await Promise.all(collateral.map(readFileOf)),
    ...(eventLog === undefined ? {} : { eventLog: await readFileOf(eventLog) }),
  };
}

function expectations(platform: EvidenceVerdict["platform"], values: Values) {
  const { "report-data": reportData, "launch-digest": launchDigest, measurement } = values;
  const isTpm = platform === "tpm" || platform === "azure-cvm";
  return {
    ...(reportData === undefined ? {} : { reportData: hexOption("--report-data", reportData, isTpm ? [] : [64]) }),
    ...(launchDigest === undefined
      ? {}
      : { launchDigest: hexOption("--launch-digest", launchDigest, platform === "tdx" ? [48] : [32]) }),
    ...(measurement.length === 0
      ? {}
      : {
          measurements: measurement.map((value) =>
            toHex(hexOption("--measurement", value.replace(/^sha(?:256|384):/, ""), [32, 48, 64])),
          ),
        }),
  };
}

function asJson(verdict: EvidenceVerdict, policyId: string): object {
  const { platform, outcome, assurance, at, checks } = verdict;
  return {
    ok: outcome === "verified",
    platform,
    outcome,
    assurance,
    policy: policyId,
    at: at.toISOString(),
    checks,
    ear: attestationResult(verdict, policyId),
  };
}

const COLOURS = {
  passed: "\u001b[32m",
  failed: "\u001b[31m",
  "not-applicable": "\u001b[2m",
  "not-performed": "\u001b[2m",
} as const;
const MARKS = {
  passed: "passed",
  failed: "FAILED",
  "not-applicable": "n/a",
  "not-performed": "not performed",
} as const;

function print(
  { platform, outcome, assurance, at, checks }: EvidenceVerdict,
  policyId: string,
  { out, colour }: Terminal,
): void {
  const tinted = (text: string, tint: string): string => (colour ? `${tint}${text}\u001b[0m` : text);
  out.write(
    `${tinted(`${outcome.toUpperCase()} (${platform}; assurance: ${assurance})`, outcome === "verified" ? COLOURS.passed : COLOURS.failed)}\npolicy ${policyId}, as of ${at.toISOString()}\n`,
  );
  for (const { name, status, code, why } of checks)
    out.write(
      `${tinted(`  ${MARKS[status].padEnd(13)} ${name}: ${why}${code === undefined ? "" : ` [${code}]`}`, COLOURS[status])}\n`,
    );
}
