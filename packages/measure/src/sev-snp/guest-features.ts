import { invalid } from "../bytes/input.ts";

/** SEV_FEATURES bits that KVM can set for an SNP guest (AMD APM volume 2, table B-4, SEV_FEATURES). */
const SNP_ACTIVE = 1n << 0n;
const DEBUG_SWAP = 1n << 5n;
const SECURE_TSC = 1n << 9n;
const ALLOWED = SNP_ACTIVE | DEBUG_SWAP | SECURE_TSC;

/** The features of a guest whose host sets nothing but SNP. */
export const DEFAULT_GUEST_FEATURES = SNP_ACTIVE;

/**
 * Holds guest features to those whose meaning is known: every bit changes the launch digest, and a digest for features
 * that no launch gives only looks like a measurement.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function checkGuestFeatures(features: bigint): void {
  if ((features & SNP_ACTIVE) === 0n) throw invalid("guest features", "bit 0 (SNP active) must be set");
  if ((features & ~ALLOWED) !== 0n)
    throw invalid(
      "guest features",
      `0x${features.toString(16)} has bits other than SNP active 0x1, debug swap 0x20 and secure TSC 0x200`,
    );
}
