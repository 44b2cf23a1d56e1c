import { toHex } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import type { LoggedDigests } from "../event-log/index.ts";
import type { TpmQuote } from "./quote.ts";
import { checkClock, type EarlierClock } from "./clock.ts";
import { checkEventLog } from "./event-log.ts";
import type { TpmEvidence } from "./evidence.ts";
import type { QuotePolicy } from "./policy.ts";
import { checkQualifyingData } from "./qualifying-data.ts";
import { checkLaunchDigest, checkRegisters, checkRegisterValues, type ProvenRegisters } from "./registers.ts";
import { checkSelection } from "./selection.ts";
import type { ParsedSignature } from "./signature.ts";

/** What the caller knows the quote has to carry. */
export interface QuoteExpectations {
  /** The 64 bytes the quote was made for, or another verifier's nonce as it stands in the quote. */
  readonly reportData?: Uint8Array;
  /** Accepted digests over all quoted registers, hex. */
  readonly measurements?: readonly string[];
  /** SHA-256 of the launch document, which PCR 15 carries: 32 bytes. */
  readonly launchDigest?: Uint8Array;
  /** An earlier reading of the same TPM's clock. */
  readonly earlierClock?: EarlierClock;
}

/** What a quote shows of the machine. */
export interface QuoteFindings {
  /** Register values the signed digest proves; `null` when none were given, or they differ. */
  readonly registers: ProvenRegisters | null;
  /** What went into them, once a log was replayed to them; `null` when none was. */
  readonly logged: LoggedDigests | null;
}

/** A quote with the signature that holds over it, and what was given beside it. */
export interface SignedQuote {
  readonly quote: TpmQuote;
  readonly signature: ParsedSignature;
  readonly evidence: Pick<TpmEvidence, "registers" | "eventLog">;
}

/** Appraises a quote whose signature holds, and the registers and log beside it. */
export async function appraiseQuote(
  checking: Checking,
  { quote, signature, evidence }: SignedQuote,
  policy: QuotePolicy,
  expected: QuoteExpectations,
): Promise<QuoteFindings> {
  const { recorder } = checking;
  await checkQualifyingData(checking, quote.extraData, expected.reportData, policy.qualifying_data);
  checkClock(recorder, quote.clockInfo, policy.safe_clock, expected.earlierClock);
  const banks = checkSelection(recorder, quote.selections, policy);
  const proven = await checkRegisters(
    checking,
    quote.selections,
    { hash: signature.hash, pcrDigest: quote.pcrDigest },
    evidence.registers,
  );
  checkMeasurement(recorder, quote.pcrDigest, [expected.measurements ?? [], policy.measurements]);
  checkRegisterValues(recorder, banks, proven ?? new Map(), policy);
  await checkLaunchDigest(checking, banks, proven, expected.launchDigest);
  const logged = await checkEventLog(checking, { banks, proven }, evidence.eventLog, policy.event_log);
  return { registers: proven, logged };
}

function checkMeasurement(recorder: CheckRecorder, pcrDigest: Uint8Array, lists: readonly (readonly string[])[]): void {
  const digest = toHex(pcrDigest);
  const listed = lists.filter((list) => list.length > 0);
  if (listed.length === 0)
    return recorder.notPerformed(
      "measurement",
      `no accepted measurement was given; the digest over the registers is ${digest}`,
    );
  const accepted = listed.every((list) => list.some((one) => one.toLowerCase() === digest));
  recorder.require("measurement", accepted, "EVIDENCE_MEASUREMENT_MISMATCH", {
    passed: digest,
    failed: `${digest} is not an accepted measurement`,
  });
}
