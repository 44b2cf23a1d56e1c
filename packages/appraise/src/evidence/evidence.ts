/** Platforms a claim can name whose evidence this project knows of. */
export type Platform = "amd-sev-snp" | "azure-cvm-sev-snp" | "intel-tdx" | "tpm2" | "software-only";

/** What a TPM signed, and the signature. */
export interface Quote {
  /** TPMS_ATTEST, the signed bytes (part 2, section 10.12.12). */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE (part 2, section 11.3.4). */
  readonly signature: Uint8Array;
}

/** What a TPM handed over for one report. */
export interface TpmParts {
  /** Quote whose qualifying data is SHA-256("cmcp-tpm-v1" ‖ the 64 bytes of report_data). */
  readonly quote: Quote;
  /** Quote over the same registers whose qualifying data is the first half of report_data, the key's thumbprint. */
  readonly keyQuote: Quote;
  /** The attestation key's TPMT_PUBLIC. */
  readonly attestationKey: Uint8Array;
  /** DER certificates of the attestation key, leaf first, as far as the TPM holds them. */
  readonly certificates: readonly Uint8Array[];
  /** TPM_ALG_ID of the bank the quotes are over. */
  readonly bank: number;
  /** Values of the quoted registers, by index, as they were read. */
  readonly registers: ReadonlyMap<number, Uint8Array>;
  /** The firmware's log, as the kernel has it; `null` when there is none. */
  readonly eventLog: Uint8Array | null;
}

/** What a provider handed over, byte for byte: what a verifier appraises. */
export type EvidenceParts =
  | { readonly provider: "software-only" }
  /** The 1184-byte report, and the certificates the host put beside it, each DER or PEM. */
  | { readonly provider: "sev-snp"; readonly report: Uint8Array; readonly certificates: readonly Uint8Array[] }
  /** A DCAP quote, with its certificate chain inside; the event log is the CCEL table. */
  | { readonly provider: "tdx"; readonly quote: Uint8Array; readonly eventLog: Uint8Array | null }
  | { readonly provider: "tpm"; readonly tpm: TpmParts }
  /**
   * The paravisor's report (HCL) with the hardware report and the runtime data that names the attestation key, and
   * that key's quotes. `tdQuote` stands for the hardware report where it is a TDREPORT.
   */
  | {
      readonly provider: "azure-cvm";
      readonly hclReport: Uint8Array;
      readonly tdQuote: Uint8Array | null;
      readonly certificates: readonly Uint8Array[];
      readonly tpm: TpmParts;
    };

/** The parts of one piece of evidence as the platform produced them. Not verified. */
export interface Evidence {
  readonly platform: Platform;
  /** `sha256:` or `sha384:` and hex. */
  readonly measurement: string;
  /** The 64 bytes the report was asked to carry. */
  readonly reportData: Uint8Array;
  /** What the platform says of its firmware; for software-only, that it is software. */
  readonly firmware: string;
  /** Milliseconds since the epoch, by a clock the host sets. */
  readonly generatedAt: number;
  readonly parts: EvidenceParts;
}
