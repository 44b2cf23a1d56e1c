/** A secret as its platform made it, with what is needed to have it again. */
export interface MadeSecret {
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Kept by the host; without the same chip or TPM and the same launch it gives nothing. */
  readonly recipe: Uint8Array;
}

/** A platform that can give the same secret again to the same image on the same hardware, and to nothing else. */
export interface PlatformSecret {
  readonly kind: PlatformSecretKind;
  /** @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` */
  make(): Promise<MadeSecret>;
  /**
   * The secret of an earlier {@link make}. `null` when this machine does not give it: another launch, another chip,
   * or a recipe that the host changed.
   *
   * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` when the platform cannot be asked.
   */
  again(recipe: Uint8Array): Promise<Uint8Array | null>;
}

/** How a secret is held, and the number a sealed blob names it by. */
export const PLATFORM_SECRET_KINDS = { "sev-snp-derived-key": 1, "tpm-policy-pcr": 2 } as const;

export type PlatformSecretKind = keyof typeof PLATFORM_SECRET_KINDS;
