import { bytesEqual, CmcpError } from "@cmcp/boundary";
import type { Platform } from "@cmcp/appraise/evidence";

/** Digests of the launch document's bytes as they were received. */
export interface LaunchDigests {
  /** 32 bytes: what HOST_DATA and a TPM register carry. */
  readonly sha256: Uint8Array;
  /** 48 bytes: what MRCONFIGID carries. */
  readonly sha384: Uint8Array;
}

/** Where a platform carries what it was launched with. A relying party has to check it there. */
export type LaunchCarrier = "HOST_DATA" | "MRCONFIGID" | "PCR 15" | "none";

/** A machine that was launched for the document at hand. */
export interface BoundLaunch {
  readonly carrier: LaunchCarrier;
  readonly platform: Platform;
  /** What was started, `sha256:` or `sha384:` and hex: the same for every launch document of one image. */
  readonly measurement: string;
}

/** @throws CmcpError `LAUNCH_DIGEST_MISMATCH` when the hardware was launched for another document, or for none. */
export function requireCarried(carrier: LaunchCarrier, carried: Uint8Array, expected: Uint8Array): void {
  if (!bytesEqual(carried, expected))
    throw new CmcpError(
      "LAUNCH_DIGEST_MISMATCH",
      `${carrier} of this machine is not the digest of the launch document`,
    );
}
