import type { RegisterValues } from "../tpm/evidence.ts";

/** Evidence of an Azure confidential VM, byte for byte as it was received. */
export interface AzureCvmEvidence {
  /** The paravisor's report; or, of its parts, the SEV-SNP report and the runtime data. */
  readonly paravisor:
    | { readonly hclReport: Uint8Array }
    | { readonly snpReport: Uint8Array; readonly runtimeData: Uint8Array };
  /** DCAP quote over the TDREPORT, where the hardware is TDX. */
  readonly tdQuote?: Uint8Array;
  /** Certificates of the processor's key, DER or PEM. */
  readonly certificates: readonly Uint8Array[];
  /** TPMS_ATTEST of the virtual TPM's quote, bare or as TPM2B_ATTEST. */
  readonly quote?: Uint8Array;
  /** TPMT_SIGNATURE, or a plain signature. */
  readonly signature?: Uint8Array;
  /** A key given beside the runtime data, which must be the same. */
  readonly attestationKey?: Uint8Array;
  readonly registers: ReadonlyMap<number, RegisterValues>;
  readonly eventLog?: Uint8Array;
}
