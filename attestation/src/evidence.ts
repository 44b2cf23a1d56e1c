/** Platforms a claim can name whose evidence this project knows of. */
export type Platform = "amd-sev-snp" | "azure-cvm-sev-snp" | "intel-tdx" | "tpm2" | "software-only";

/** What a platform handed over for one report, before anybody verified it. */
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
}
