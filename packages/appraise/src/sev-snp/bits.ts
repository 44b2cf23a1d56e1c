/** Bits of the guest policy a report carries in POLICY (AMD 56860 section 4.3); bits 15 to 0 are the ABI version. */
export const GUEST_POLICY_BITS = {
  smt: 16,
  migration_agent: 18,
  debug: 19,
  single_socket: 20,
  cxl: 21,
  aes_256_xts: 22,
  rapl_disabled: 23,
  ciphertext_hiding: 24,
  page_swap_disabled: 25,
} as const;

/** Reserved, and one in every policy the firmware accepts. */
export const GUEST_POLICY_ALWAYS_ONE = 17;

/** Bits of PLATFORM_INFO (AMD 56860 section 7.3; bit 6 from genuine Turin reports and public verifiers). */
export const PLATFORM_INFO_BITS = {
  smt: 0,
  tsme: 1,
  ecc: 2,
  rapl_disabled: 3,
  ciphertext_hiding: 4,
  alias_check: 5,
  iommu_write_safe: 6,
  tio: 7,
} as const;

export type GuestPolicyBit = keyof typeof GUEST_POLICY_BITS;
export type PlatformInfoBit = keyof typeof PLATFORM_INFO_BITS;

export function hasBit(value: bigint, bit: number): boolean {
  return ((value >> BigInt(bit)) & 1n) === 1n;
}

/** Bits of POLICY without a meaning here, `17` aside. */
export function unknownGuestPolicyBits(policy: bigint): number[] {
  return unknownBits(policy, 16, [...Object.values<number>(GUEST_POLICY_BITS), GUEST_POLICY_ALWAYS_ONE]);
}

/** Bits of PLATFORM_INFO without a meaning here. */
export function unknownPlatformInfoBits(platformInfo: bigint): number[] {
  return unknownBits(platformInfo, 0, Object.values<number>(PLATFORM_INFO_BITS));
}

function unknownBits(value: bigint, from: number, known: readonly number[]): number[] {
  return Array.from({ length: 64 - from }, (_, index) => from + index).filter(
    (bit) => hasBit(value, bit) && !known.includes(bit),
  );
}

/** Major and minor number of the firmware interface the guest's owner asked for at least. */
export function requestedAbi(policy: bigint): { readonly major: number; readonly minor: number } {
  return { major: Number((policy >> 8n) & 0xffn), minor: Number(policy & 0xffn) };
}
