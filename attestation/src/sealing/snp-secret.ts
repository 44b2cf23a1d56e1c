import { CmcpError, isZero } from "@cmcp/boundary";
import { productOfCpuid, type SnpReportFields } from "@cmcp/appraise/evidence";
import type { PlatformSecret } from "./platform-secret.ts";

/** Bytes of a key that the firmware derives (AMD 56860, section 7.2). */
export const DERIVED_KEY_BYTES = 32;

/** Gives the 32 bytes that the image's native helper had from the firmware (SPEC.md). */
export type DerivedKey = () => Promise<Uint8Array>;

/**
 * The key that the firmware derives for a guest of this measurement and policy on this chip with this firmware. There
 * is nothing to keep for having it again. HOST_DATA is nothing the firmware can mix in, so what the key is used for is
 * bound to the launch digest by `seal`.
 */
export function snpSecret(derivedKey: DerivedKey): PlatformSecret {
  const key = async (): Promise<Uint8Array> => {
    const bytes = await derivedKey();
    if (bytes.length !== DERIVED_KEY_BYTES || isZero(bytes))
      throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the firmware gave no derived key");
    return bytes;
  };
  return {
    kind: "sev-snp-derived-key",
    make: async () => ({ secret: await key(), recipe: new Uint8Array() }),
    again: async (recipe) => (recipe.length === 0 ? await key() : null),
  };
}

/**
 * Whether a chip's derived keys are worth relying on. The root seed of Milan is claimed to be extractable by software
 * (arXiv 2605.12990); a report that does not name its processor may be Milan's.
 */
export function derivedKeysAreSound({ cpuid }: Pick<SnpReportFields, "cpuid">): boolean {
  const product = cpuid === null ? undefined : productOfCpuid(cpuid);
  return product !== undefined && product !== "Milan";
}
