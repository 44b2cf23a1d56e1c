import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../../packages/cli/src/main.ts", import.meta.url));

/** What a relying party has in hand: paths of files. */
export interface Claimed {
  readonly claim: string;
  readonly evidence: string;
  readonly launchDocument: string;
  /** A file or the name of a preset. */
  readonly policy: string;
  /** What the image may measure as; `null` where no image is measured. */
  readonly measurements: string | null;
  readonly bundle?: string;
  readonly receipts?: readonly string[];
  readonly heldClaims?: readonly string[];
  readonly policyHash?: string;
  /** Whether only a session under the seal is accepted. */
  readonly sealed?: boolean;
}

/** One check of the verdict. */
interface Check {
  readonly name: string;
  readonly status: string;
  readonly code?: string;
  readonly why: string;
}

/** How `cmcp verify` judged. */
export interface Judgement {
  readonly code: number;
  readonly outcome: string;
  readonly completeness: string;
  readonly assurance: string;
  readonly checks: readonly Check[];
  /** Name and code of each check that failed. */
  readonly failed: readonly string[];
}

/** Runs `cmcp verify` from its sources. */
export async function verified({
  claim,
  evidence,
  launchDocument,
  policy,
  measurements,
  bundle,
  receipts = [],
  heldClaims = [],
  policyHash,
  sealed = false,
}: Claimed): Promise<Judgement> {
  const option = (name: string, value: string | null | undefined): string[] =>
    value === null || value === undefined ? [] : [name, value];
  return await judged([
    claim,
    "--evidence",
    evidence,
    "--appraisal-policy",
    policy,
    "--launch-document",
    launchDocument,
    ...option("--measurements", measurements),
    ...option("--audit-bundle", bundle),
    ...option("--policy-hash", policyHash),
    ...(sealed ? ["--require-sealed"] : []),
    ...receipts.flatMap((receipt) => ["--receipt", receipt]),
    ...heldClaims.flatMap((held) => ["--held-claim", held]),
  ]);
}

/** Runs `cmcp verify` on what a session left that a crash is said to have interrupted. */
export async function verifiedIncomplete(exported: string, receipts: readonly string[]): Promise<Judgement> {
  return await judged([
    "--audit-bundle",
    exported,
    "--allow-software-only",
    ...receipts.flatMap((receipt) => ["--receipt", receipt]),
  ]);
}

async function judged(args: readonly string[]): Promise<Judgement> {
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", MAIN, "verify", "--json", ...args],
      { env: { PATH: process.env["PATH"], NO_COLOR: "1" } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout: out, stderr: err });
      },
    );
  });
  if (stdout === "") throw new Error(`cmcp verify ended with ${code}: ${stderr}`);
  const verdict = JSON.parse(stdout) as Omit<Judgement, "code" | "failed">;
  return {
    ...verdict,
    code,
    failed: verdict.checks
      .filter(({ status }) => status === "failed")
      .map((check) => `${check.name} ${check.code ?? ""}`),
  };
}

/** The digest of the TPM key that a verifier did not know. */
export function unknownKey({ checks }: Judgement): string {
  return unknownKeyIn(JSON.stringify(checks));
}

/** The same, in what a verifier said. */
export function unknownKeyIn(said: string): string {
  const key = /does not name the key ([0-9a-f]{64})/.exec(said)?.[1];
  if (key === undefined) throw new Error(said);
  return key;
}

/** An appraisal policy that takes that one TPM; `measured` where it demands an accepted image. */
export function enrolled(key: string, measured: boolean): string {
  return JSON.stringify({
    platforms: ["tpm"],
    required: ["report_data", "launch", ...(measured ? ["measurement"] : [])],
    tpm: { attestation_key_sha256: [key] },
  });
}
