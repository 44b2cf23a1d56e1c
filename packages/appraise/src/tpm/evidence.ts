/** Values of registers by PCR index. */
export type RegisterValues = ReadonlyMap<number, Uint8Array>;

/** Evidence of a TPM, byte for byte as it was received. */
export interface TpmEvidence {
  /** TPMS_ATTEST, bare or as TPM2B_ATTEST. */
  readonly quote: Uint8Array;
  /** TPMT_SIGNATURE, or a plain signature. */
  readonly signature?: Uint8Array;
  /** TPMT_PUBLIC, TPM2B_PUBLIC, DER SubjectPublicKeyInfo or PEM. */
  readonly attestationKey?: Uint8Array;
  /** DER certificates: that of the attestation key first when it is among them, the rest in any order. */
  readonly certificates: readonly Uint8Array[];
  /** What the registers are said to hold, by TPM_ALG_ID of the bank; the quote's digest proves or refutes it. */
  readonly registers: ReadonlyMap<number, RegisterValues>;
  readonly eventLog?: Uint8Array;
}

/** Most attached files, and most certificates in all. */
export const MAX_ATTACHMENTS = 16;
export const MAX_CERTIFICATES = 16;
