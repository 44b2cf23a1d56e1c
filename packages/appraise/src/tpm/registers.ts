import { bytesEqual, toHex } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import { BANKS, hash, type Bank } from "../event-log/hash-algorithm.ts";
import type { PcrSelection } from "./quote.ts";
import type { RegisterValues, TpmEvidence } from "./evidence.ts";
import type { QuotePolicy } from "./policy.ts";
import { launchRegisterValue, LAUNCH_REGISTER } from "./launch-register.ts";
import type { QuotedBank } from "./selection.ts";

/** Register values that the signed digest proves, by TPM_ALG_ID of their bank. */
export type ProvenRegisters = ReadonlyMap<number, RegisterValues>;

/**
 * Compares the values beside the quote with its signed digest. That is the hash, by the signature's algorithm, over
 * the selected registers in the order of the selection (TPM 2.0 Library part 3, section 18.4). `null` when they are
 * not given or differ.
 */
export async function checkRegisters(
  { crypto, recorder }: Checking,
  selections: readonly PcrSelection[],
  signed: { readonly hash: Bank; readonly pcrDigest: Uint8Array },
  evidence: TpmEvidence["registers"],
): Promise<ProvenRegisters | null> {
  if (evidence.size === 0) {
    recorder.notPerformed("PCR digest", "no register values were given: only the digest over them is known");
    return null;
  }
  const missing = selections.flatMap(({ bankId, registers }) =>
    registers.filter((register) => evidence.get(bankId)?.get(register) === undefined),
  );
  const values = selections.flatMap(({ bankId, registers }) =>
    registers.flatMap((register) => evidence.get(bankId)?.get(register) ?? []),
  );
  const holds = missing.length === 0 && bytesEqual(await hash(crypto, signed.hash, ...values), signed.pcrDigest);
  const failed =
    missing.length === 0
      ? "the register values do not have the signed digest"
      : `no value was given of PCR ${missing.join(", ")}`;
  if (
    !recorder.require("PCR digest", holds, "EVIDENCE_SIGNATURE_INVALID", {
      passed: `${values.length} register values have the signed digest`,
      failed: failed,
    })
  )
    return null;
  return new Map(
    selections.map(({ bankId, registers }) => [
      bankId,
      new Map(registers.map((register) => [register, evidence.get(bankId)?.get(register) ?? new Uint8Array()])),
    ]),
  );
}

/** Compares registers with the values the policy accepts. */
export function checkRegisterValues(
  recorder: CheckRecorder,
  banks: readonly QuotedBank[],
  proven: ProvenRegisters,
  policy: QuotePolicy,
): void {
  const check = "PCR values";
  const named = Object.entries(policy.registers);
  if (named.length === 0) return recorder.notPerformed(check, "the policy names no accepted values");
  const wrong = named.flatMap(([register, accepted]) => {
    const values = banks.flatMap(({ bank }) => proven.get(BANKS[bank].id)?.get(Number(register)) ?? []);
    const refused = values.filter((value) => !accepted.includes(toHex(value)));
    if (values.length > 0 && refused.length === 0) return [];
    return [`PCR ${register} ${values.length === 0 ? "is not shown" : `is ${refused.map(toHex).join(" and ")}`}`];
  });
  recorder.require(check, wrong.length === 0, "EVIDENCE_MEASUREMENT_MISMATCH", {
    passed: `PCR ${named.map(([register]) => register).join(", ")} hold accepted values`,
    failed: `not accepted: ${wrong.join("; ")}`,
  });
}

/**
 * Compares the launch register with the value that one launch digest and the cap give (launch-register.ts). What the
 * boot stage extended says which launch document runs; a register that says anything else runs another.
 */
export async function checkLaunchDigest(
  { crypto, recorder }: Checking,
  banks: readonly QuotedBank[],
  proven: ProvenRegisters | null,
  launchDigest: Uint8Array | undefined,
): Promise<void> {
  const check = "launch digest";
  if (launchDigest === undefined)
    return recorder.notPerformed(check, "no launch digest was expected: what was launched is not shown");
  if (launchDigest.length !== 32)
    return recorder.fail(
      check,
      "EVIDENCE_LAUNCH_NOT_BOUND",
      `a TPM carries a launch digest of 32 bytes, expected is one of ${launchDigest.length}`,
    );
  const quoted = banks.filter(({ registers }) => registers.includes(LAUNCH_REGISTER));
  const expected = await Promise.all(
    quoted.map(async ({ bank }) => await launchRegisterValue(crypto, bank, launchDigest)),
  );
  const holds =
    quoted.length > 0 &&
    quoted.every(({ bank }, index) =>
      bytesEqual(
        proven?.get(BANKS[bank].id)?.get(LAUNCH_REGISTER) ?? new Uint8Array(),
        expected[index] ?? new Uint8Array(),
      ),
    );
  const failed =
    quoted.length === 0
      ? `PCR ${LAUNCH_REGISTER} is not quoted`
      : proven === null
        ? `the value of PCR ${LAUNCH_REGISTER} is not shown`
        : `PCR ${LAUNCH_REGISTER} is not the launch digest followed by the cap`;
  recorder.require(check, holds, "EVIDENCE_LAUNCH_NOT_BOUND", {
    passed: `PCR ${LAUNCH_REGISTER} holds the launch digest, capped`,
    failed: failed,
  });
}
