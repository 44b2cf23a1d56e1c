import { ByteReader, CmcpError, isZero, toHex } from "@cmcp/boundary";
import { QE_REPORT_BYTES } from "./qe-report.ts";
import { readTdReport, TD_REPORT_BYTES, type TdReport, type TdReportVersion } from "./td-report.ts";

/** Largest file that is read: the largest buffer a TDX guest driver hands out, in bytes. */
export const MAX_QUOTE_FILE_BYTES = 128 * 1024;
/** Above this a TDX quote is no DCAP structure any more but a DICE token (Linux ABI, tsm/report outblob), in bytes. */
export const MAX_QUOTE_BYTES = 8 * 1024;

const HEADER_BYTES = 48;
const SIGNATURE_BYTES = 64;
const KEY_BYTES = 64;
/** ECDSA over P-256, the one attestation key type TDX quotes have. */
const KEY_TYPE_ECDSA_P256 = 2;
const TEE_TYPE_TDX = 0x81;
/** Identifies Intel's quoting enclave (DCAP Quoting Library API, appendix A.3: QE Vendor ID). */
const INTEL_QE_VENDOR = "939a7233f79c4ca9940a0db3957f0607";
/** Body types of quote version 5; 1 is an SGX enclave's, 4 a TD report that is longer than that of TDX 1.5 (TD report 1.5 EX). */
const BODY_VERSIONS: Readonly<Record<number, TdReportVersion>> = { 2: "1.0", 3: "1.5" };
const CERTIFICATION_QE_REPORT = 6;
/** Certification data that holds the PCK certificate chain as PEM. */
export const CERTIFICATION_PCK_CHAIN = 5;

/** A parsed TDX quote. Nothing in it is verified: `claimed` is what the evidence says of itself. */
export interface TdxQuote {
  readonly version: 4 | 5;
  readonly reportVersion: TdReportVersion;
  /** Written by the quoting enclave: the platform's identifier in its first 16 bytes. */
  readonly userData: Uint8Array;
  readonly claimed: TdReport;
  /** The bytes the attestation key signed: header, descriptor of the body in version 5, body. */
  readonly signed: Uint8Array;
  /** ECDSA P-256 signature over them, r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
  /** The attestation key, x ‖ y, 64 bytes. */
  readonly attestationKey: Uint8Array;
  /** Report of the quoting enclave, {@link QE_REPORT_BYTES}. */
  readonly qeReport: Uint8Array;
  /** The PCK's ECDSA P-256 signature over it, r ‖ s, 64 bytes. */
  readonly qeReportSignature: Uint8Array;
  readonly qeAuthenticationData: Uint8Array;
  /** How the PCK is named: type 5 is a certificate chain in PEM. */
  readonly certification: { readonly type: number; readonly data: Uint8Array };
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", why);
}

/**
 * Reads a TDX quote of version 4 or 5 (Intel TDX DCAP Quoting Library API, appendix A.3). Zero bytes may follow it,
 * nothing else.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`; quotes in the form of a DICE token are refused by name.
 */
export function parseTdxQuote(bytes: Uint8Array): TdxQuote {
  if (bytes.length > MAX_QUOTE_FILE_BYTES)
    throw malformed(`a quote of ${bytes.length} bytes, limit ${MAX_QUOTE_FILE_BYTES}`);
  if (looksLikeToken(bytes))
    throw malformed(
      "a TDX quote as a DICE token (CBOR Web Token); only DCAP quotes of version 4 and 5 are verified here",
    );
  const reader = new ByteReader(bytes, "the quote", "little");
  const { version, userData } = readHeader(reader);
  const reportVersion = version === 4 ? "1.0" : readBodyDescriptor(reader);
  const claimed = readTdReport(reader.take(TD_REPORT_BYTES[reportVersion]), reportVersion);
  const signed = bytes.subarray(0, reader.offset);
  const length = reader.u32();
  if (reader.offset + length > MAX_QUOTE_BYTES)
    throw malformed(`a quote of more than ${MAX_QUOTE_BYTES} bytes is no DCAP quote`);
  const signatureData = readSignatureData(reader.take(length));
  if (!isZero(reader.rest())) throw malformed("bytes other than zero follow the quote");
  return { version, reportVersion, userData, claimed, signed, ...signatureData };
}

/** CBOR tags 18 (COSE_Sign1) and 61 (CWT), or an untagged array of four; no DCAP quote begins with them. */
function looksLikeToken(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  return (
    first === 0xd2 ||
    first === 0x84 ||
    (first === 0xd8 && second === 61) ||
    (bytes.length > MAX_QUOTE_BYTES && first !== 4 && first !== 5)
  );
}

function readHeader(reader: ByteReader): { version: 4 | 5; userData: Uint8Array } {
  const header = new ByteReader(reader.take(HEADER_BYTES), "the quote's header", "little");
  const version = header.u16();
  if (version !== 4 && version !== 5) throw malformed(`a quote of version ${version}; TDX quotes have version 4 or 5`);
  const keyType = header.u16();
  if (keyType !== KEY_TYPE_ECDSA_P256) throw malformed(`attestation key type ${keyType} is not ECDSA P-256`);
  const teeType = header.u32();
  if (teeType !== TEE_TYPE_TDX) throw malformed(`TEE type ${teeType} is not TDX`);
  header.skip(4);
  if (toHex(header.take(16)) !== INTEL_QE_VENDOR) throw malformed("the quoting enclave's vendor is not Intel");
  return { version, userData: header.take(20) };
}

function readBodyDescriptor(reader: ByteReader): TdReportVersion {
  const type = reader.u16();
  const version = BODY_VERSIONS[type];
  if (version === undefined)
    throw malformed(`a quote body of type ${type}; only TD reports of TDX 1.0 (type 2) and 1.5 (type 3) are read here`);
  const size = reader.u32();
  if (size !== TD_REPORT_BYTES[version]) throw malformed(`a TD report ${version} of ${size} bytes`);
  return version;
}

type SignatureData = Pick<
  TdxQuote,
  "signature" | "attestationKey" | "qeReport" | "qeReportSignature" | "qeAuthenticationData" | "certification"
>;

// Every inner length must fill its container exactly: another verifier could read meaning into leftover bytes.
function readSignatureData(bytes: Uint8Array): SignatureData {
  const reader = new ByteReader(bytes, "the quote's signature data", "little");
  const signature = reader.take(SIGNATURE_BYTES);
  const attestationKey = reader.take(KEY_BYTES);
  const type = reader.u16();
  if (type !== CERTIFICATION_QE_REPORT)
    throw malformed(`certification data of type ${type} instead of the quoting enclave's report (6)`);
  const inner = new ByteReader(reader.take(reader.u32()), "the quote's certification data", "little");
  reader.end();
  const qeReport = inner.take(QE_REPORT_BYTES);
  const qeReportSignature = inner.take(SIGNATURE_BYTES);
  const qeAuthenticationData = inner.take(inner.u16());
  const certification = { type: inner.u16(), data: inner.take(inner.u32()) };
  inner.end();
  return { signature, attestationKey, qeReport, qeReportSignature, qeAuthenticationData, certification };
}
