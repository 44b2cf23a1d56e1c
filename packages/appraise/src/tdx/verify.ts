import { CheckRecorder } from "../checks/check.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import type { EvidenceResult } from "../checks/result.ts";
import { appraiseDebug, appraiseTd, type TdxExpectations } from "./appraise-td.ts";
import { authenticate, type AuthenticTdxQuote } from "./authenticate.ts";
import { parseCollateral } from "./collateral.ts";
import type { TdxCollateral } from "./unverified-collateral.ts";
import { checkEventLog } from "./event-log.ts";
import type { TdxPolicy } from "./policy.ts";
import { parseTdxQuote } from "./quote.ts";
import { appraiseTcb } from "./tcb.ts";
import type { TcbAppraisal } from "./tcb-appraisal.ts";

/** TDX evidence and what it has to show. Its sender chooses every byte. */
export interface TdxInput extends TdxExpectations {
  /** A DCAP quote of version 4 or 5. */
  readonly quote: Uint8Array;
  /** Files of collateral, in any of the forms `parseCollateral` takes; none leaves the TCB status not performed. */
  readonly collateral?: readonly Uint8Array[];
  /** The TD's CCEL event log. */
  readonly eventLog?: Uint8Array;
}

/** A quote that is authentic, with what Intel's collateral says of its platform. Only {@link verifyTdx} makes one. */
export interface VerifiedTdxQuote extends AuthenticTdxQuote {
  /** `null` when the status was not, or could not be, determined. */
  readonly tcb: TcbAppraisal | null;
}

const NO_COLLATERAL: TdxCollateral = {
  tcbInfo: null,
  qeIdentity: null,
  revocationLists: [],
  certificates: [],
  pckChain: [],
};

/**
 * Verifies a TDX quote at a point in time and appraises it by a policy. Never throws for anything in the evidence:
 * whatever is wrong is a failed check, whatever was not looked at is said.
 *
 * Source: Intel TDX DCAP Quoting Library API, appendix A.3; quote verification of Intel SGX/TDX DCAP.
 */
export async function verifyTdx(
  input: TdxInput,
  policy: TdxPolicy,
  at: Date,
  crypto: VerifierCrypto,
): Promise<EvidenceResult<VerifiedTdxQuote>> {
  const recorder = new CheckRecorder();
  const bytes = Uint8Array.from(input.quote);
  const quote = recorder.attempt("quote format", "EVIDENCE_MALFORMED", "a TDX quote of version 4 or 5", () =>
    parseTdxQuote(bytes),
  );
  const files = input.collateral ?? [];
  const collateral =
    files.length === 0
      ? NO_COLLATERAL
      : recorder.attempt("collateral format", "EVIDENCE_COLLATERAL_INVALID", "collateral was read", () =>
          parseCollateral(files),
        );
  const authentic =
    quote === null
      ? null
      : await authenticate({ crypto, recorder }, quote, collateral ?? NO_COLLATERAL, { policy, at });
  if (authentic === null) {
    recorder.notPerformed("appraisal", "nothing in a quote that is not authentic means anything");
    return { verified: null, checks: recorder.checks };
  }
  const appraisal = new CheckRecorder();
  appraiseDebug(appraisal, authentic);
  const tcb = await appraiseTcb(
    { crypto, recorder: appraisal, collateral: collateral ?? NO_COLLATERAL, policy, at },
    authentic,
  );
  appraiseTd(appraisal, authentic, policy, input);
  await checkEventLog({ crypto, recorder: appraisal }, authentic, input.eventLog, policy.event_log);
  if (policy.authenticity_only)
    for (const { name } of appraisal.checks) recorder.notPerformed(name, "authenticity only");
  else recorder.include(appraisal.checks);
  return { verified: { ...authentic, tcb: policy.authenticity_only ? null : tcb }, checks: recorder.checks };
}
