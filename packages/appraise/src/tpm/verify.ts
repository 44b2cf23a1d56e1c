import { toHex } from "@cmcp/boundary";
import { CheckRecorder } from "../checks/check.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import type { EvidenceResult } from "../checks/result.ts";
import { hash } from "../event-log/hash-algorithm.ts";
import { RevocationList } from "../x509/revocation-list.ts";
import { appraiseQuote, type QuoteExpectations, type QuoteFindings } from "./appraise-quote.ts";
import { parseTpmQuote, type ClockInfo, type TpmQuote } from "./quote.ts";
import { bindAttestationKey, type BoundKey } from "./attestation-key.ts";
import type { TpmEvidence } from "./evidence.ts";
import type { TpmPolicy } from "./policy.ts";
import { checkQuoteSignature } from "./quote-signature.ts";

/** TPM evidence and what it has to show. Its sender chooses every byte. */
export interface TpmInput extends QuoteExpectations {
  readonly evidence: TpmEvidence;
  /** Revocation lists of the authorities in the key's chain, DER or PEM. */
  readonly revocationLists?: readonly Uint8Array[];
}

/** Most revocation lists taken. */
const MAX_LISTS = 8;

declare const verified: unique symbol;

/** A quote that a bound key signed. Only {@link verifyTpm} makes one. */
export interface VerifiedTpm extends QuoteFindings {
  readonly [verified]: true;
  readonly platform: "tpm2";
  /** A TPM vouches for what was measured into it. Whoever runs a virtual one can make it say anything. */
  readonly assurance: "as trustworthy as whoever made and runs the TPM";
  /** Digest over the quoted registers, as it was signed. */
  readonly measurement: Uint8Array;
  readonly qualifyingData: Uint8Array;
  readonly clockInfo: ClockInfo;
  readonly firmwareVersion: bigint;
  /** SHA-256 of the key's SubjectPublicKeyInfo, hex. */
  readonly attestationKeySha256: string;
}

/**
 * Verifies a TPM 2.0 quote at a point in time and appraises it by a policy. Never throws for anything in the
 * evidence: whatever is wrong is a failed check, whatever was not looked at is said.
 *
 * Source: TPM 2.0 Library part 1, section 31 (attestation keys), part 2, section 10.12 (attestation structures).
 */
export async function verifyTpm(
  input: TpmInput,
  policy: TpmPolicy,
  at: Date,
  crypto: VerifierCrypto,
): Promise<EvidenceResult<VerifiedTpm>> {
  const recorder = new CheckRecorder();
  const { evidence } = input;
  const quote = recorder.attempt("quote format", "EVIDENCE_MALFORMED", "a TPM 2.0 quote", () =>
    parseTpmQuote(Uint8Array.from(evidence.quote)),
  );
  const lists = readLists(recorder, input.revocationLists ?? []);
  const bound = lists === null ? null : await bindAttestationKey(crypto, recorder, { evidence, lists, policy, at });
  const signature =
    quote === null || bound === null
      ? null
      : await checkQuoteSignature({ crypto, recorder }, quote, evidence.signature, bound);
  if (quote === null || bound === null || signature === null || !bound.trusted) {
    recorder.notPerformed("appraisal", "nothing in a quote that is not authentic means anything");
    return { verified: null, checks: recorder.checks };
  }
  const appraisal = new CheckRecorder();
  const shown = await appraiseQuote({ crypto, recorder: appraisal }, { quote, signature, evidence }, policy, input);
  if (policy.authenticity_only)
    for (const { name } of appraisal.checks) recorder.notPerformed(name, "authenticity only");
  else recorder.include(appraisal.checks);
  return {
    verified: await brand(crypto, quote, bound, policy.authenticity_only ? { registers: null, logged: null } : shown),
    checks: recorder.checks,
  };
}

function readLists(recorder: CheckRecorder, files: readonly Uint8Array[]): readonly RevocationList[] | null {
  if (files.length === 0) return [];
  const check = "revocation list format";
  if (files.length <= MAX_LISTS)
    return recorder.attempt(check, "EVIDENCE_COLLATERAL_INVALID", "every list was read", () =>
      files.map((bytes) => RevocationList.parse(bytes)),
    );
  recorder.fail(check, "EVIDENCE_COLLATERAL_INVALID", `${files.length} revocation lists, more than ${MAX_LISTS}`);
  return null;
}

async function brand(
  crypto: VerifierCrypto,
  quote: TpmQuote,
  bound: BoundKey,
  shown: QuoteFindings,
): Promise<VerifiedTpm> {
  return {
    platform: "tpm2",
    assurance: "as trustworthy as whoever made and runs the TPM",
    measurement: quote.pcrDigest,
    qualifyingData: quote.extraData,
    clockInfo: quote.clockInfo,
    firmwareVersion: quote.firmwareVersion,
    attestationKeySha256: toHex(await hash(crypto, "sha256", bound.key.spki)),
    ...shown,
  } as VerifiedTpm;
}
