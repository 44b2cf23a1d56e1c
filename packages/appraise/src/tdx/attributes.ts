/**
 * Attributes of a TD by the bit each has (Intel TDX module base architecture specification, ATTRIBUTES). Bits 0 to 7
 * put a TD under debug, 8 to 31 bear on its security, the others do not.
 */
export const TD_ATTRIBUTES = {
  DEBUG: 0,
  HGS_PLUS_PROF: 4,
  PERF_PROF: 5,
  PMT_PROF: 6,
  ICSSD: 16,
  LASS: 27,
  SEPT_VE_DISABLE: 28,
  MIGRATABLE: 29,
  PKS: 30,
  KL: 31,
  TPA: 62,
  PERFMON: 63,
} as const;

export type TdAttribute = keyof typeof TD_ATTRIBUTES;

export const TD_ATTRIBUTE_NAMES = Object.keys(TD_ATTRIBUTES) as readonly TdAttribute[];

const NAMES: ReadonlyMap<number, string> = new Map(TD_ATTRIBUTE_NAMES.map((name) => [TD_ATTRIBUTES[name], name]));

/** Names of the bits that are set; a bit without a name is `bit 40`, for example. */
export function attributeNames(attributes: bigint): string[] {
  return Array.from({ length: 64 }, (_, bit) => bit)
    .filter((bit) => ((attributes >> BigInt(bit)) & 1n) === 1n)
    .map((bit) => NAMES.get(bit) ?? `bit ${bit}`);
}

/** Features every TD has: x87 and SSE (Intel TDX module ABI, XFAM_FIXED1). */
export const XFAM_FIXED1 = 0x3n;
/** Features a TD may have at all (XFAM_FIXED0). */
export const XFAM_FIXED0 = 0x6dbe7n;
