import { ByteReader } from "@cmcp/boundary";

/** Bytes of an SGX enclave report body. */
export const QE_REPORT_BYTES = 384;

/**
 * The report of the quoting enclave, signed by the PCK (Intel SGX DCAP Quoting Library API, appendix A.4: Enclave
 * Report Body).
 */
export interface QeReport {
  readonly miscSelect: Uint8Array;
  readonly attributes: Uint8Array;
  readonly mrEnclave: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** SHA-256 of attestation key and authentication data, then 32 zero bytes. */
  readonly reportData: Uint8Array;
}

/** Reads a report of exactly {@link QE_REPORT_BYTES}. Throws `EVIDENCE_MALFORMED`. */
export function readQeReport(bytes: Uint8Array): QeReport {
  const reader = new ByteReader(bytes, "the quoting enclave's report", "little");
  reader.skip(16); // CPUSVN; the PCK certificate's is the one that counts
  const miscSelect = reader.take(4);
  reader.skip(28);
  const attributes = reader.take(16);
  const mrEnclave = reader.take(32);
  reader.skip(32);
  const mrSigner = reader.take(32);
  reader.skip(96);
  const isvProdId = reader.u16();
  const isvSvn = reader.u16();
  reader.skip(60);
  const reportData = reader.take(64);
  reader.end();
  return { miscSelect, attributes, mrEnclave, mrSigner, isvProdId, isvSvn, reportData };
}
