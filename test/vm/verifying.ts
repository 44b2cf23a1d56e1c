import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

/** What a relying party has in hand: paths of files. */
export interface Claimed {
  readonly claim: string;
  readonly evidence: string;
  readonly launchDocument: string;
  readonly measurements: string;
  /** A file or the name of a preset. */
  readonly policy: string;
}

/** How `cmcp verify` judged. */
export interface Judgement {
  readonly code: number;
  readonly output: string;
  /** Names of the checks that failed. */
  readonly failed: readonly string[];
}

/** Runs `cmcp verify` from its sources. */
export async function verified({ claim, evidence, launchDocument, measurements, policy }: Claimed): Promise<Judgement> {
  const args = ["verify", claim, "--evidence", evidence, "--appraisal-policy", policy, "--launch-document", launchDocument, "--measurements", measurements];
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], { env: { PATH: process.env["PATH"], NO_COLOR: "1" } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
    });
  });
  return { code, output, failed: [...output.matchAll(/^ {2}FAILED +([^:]+):/gm)].map(([, name = ""]) => name) };
}

/** The digest of the TPM key that a verifier did not know. */
export function unknownKey({ output }: Judgement): string {
  const key = /does not name the key ([0-9a-f]{64})/.exec(output)?.[1];
  if (key === undefined) throw new Error(output);
  return key;
}

/** An appraisal policy that takes that one TPM. */
export function enrolled(key: string): string {
  return JSON.stringify({ platforms: ["tpm"], required: ["report_data", "measurement", "launch"], tpm: { attestation_key_sha256: [key] } });
}
