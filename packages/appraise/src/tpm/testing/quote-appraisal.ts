import { hash, webcrypto } from "node:crypto";
import type { Check } from "../../checks/check.ts";
import { EXIT_BOOT_SERVICES, SEPARATORS, type SampleEvent } from "../../event-log/testing/build-log.ts";
import { parseEventLog, replay } from "../../event-log/index.ts";
import type { QuoteExpectations } from "../appraise-quote.ts";
import type { TpmEvidence } from "../evidence.ts";
import { STRICT_TPM_POLICY, type TpmPolicy } from "../policy.ts";
import { QUOTED_REGISTERS } from "../quoted-registers.ts";
import { sampleKey } from "./sample-quote.ts";
import { verifyTpm } from "../verify.ts";

export const KEY = sampleKey("ecdsa");
export const TRUSTED = { attestation_key_sha256: [hash("sha256", KEY.spki)] };
/** Events of a sound boot. */
export const BOOT: readonly SampleEvent[] = [
  { register: 0, type: 8, data: "firmware" },
  ...SEPARATORS,
  { register: 4, type: 0x80000003, data: "kernel" },
  ...EXIT_BOOT_SERVICES,
];

/** Register values of a machine that booted so. */
export async function valuesOf(
  log: Uint8Array,
  registers: readonly number[] = QUOTED_REGISTERS,
): Promise<Map<number, Uint8Array>> {
  const replayed = await replay(webcrypto, parseEventLog(log), "sha256", "pcr");
  return new Map(registers.map((register) => [register, replayed.get(register)?.value ?? new Uint8Array(32)]));
}

/** Registers that nothing was measured into. */
export const plainValues = (registers: readonly number[]): Map<number, Uint8Array> =>
  new Map(registers.map((register) => [register, new Uint8Array(32)]));

/** The checks of evidence under a policy that trusts {@link KEY}. */
export async function appraise(
  evidence: TpmEvidence,
  expected: QuoteExpectations = {},
  policy: Partial<TpmPolicy> = {},
): Promise<readonly Check[]> {
  return (
    await verifyTpm({ evidence, ...expected }, { ...STRICT_TPM_POLICY, ...TRUSTED, ...policy }, new Date(0), webcrypto)
  ).checks;
}

/** What became of the one check of this name. */
export const of = (checks: readonly Check[], name: string): string => {
  const check = checks.find((one) => one.name === name);
  return check === undefined ? "absent" : check.status === "failed" ? (check.code ?? "") : check.status;
};
