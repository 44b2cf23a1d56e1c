import { ByteReader, CmcpError, isZero } from "@cmcp/boundary";

/** Largest report taken, in bytes: the NV index of the virtual TPM holds 2600. */
const MAX_HCL_REPORT_BYTES = 16 * 1024;

const SIGNATURE = "HCLA";
/** Room for the hardware report: an SEV-SNP report, or a TDREPORT and padding. */
const HARDWARE_REPORT_BYTES = 1184;
const TDREPORT_BYTES = 1024;
const HEADER_BYTES = 32;
/** Fixed part of the IGVM request data that follows, by version: the second ends with a bitmap of what the paravisor asks of the host. */
const REQUEST_DATA_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 20],
  [2, 24],
]);
/** The same in both versions: lengths, version, kinds. */
const REQUEST_DATA_START_BYTES = 20;

const KINDS: ReadonlyMap<number, "sev-snp" | "tdx"> = new Map([
  [2, "sev-snp"],
  [4, "tdx"],
]);
const HASHES: ReadonlyMap<number, RuntimeHash> = new Map([
  [1, "SHA-256"],
  [2, "SHA-384"],
  [3, "SHA-512"],
]);

/** Algorithm that binds the runtime data, as WebCrypto names it; every report seen so far has SHA-256. */
export type RuntimeHash = "SHA-256" | "SHA-384" | "SHA-512";

/** What the paravisor left for its guest in NV index 0x01400001 of the virtual TPM, as parsed. */
export interface HclReport {
  readonly kind: "sev-snp" | "tdx";
  /** The hardware's own report: an SEV-SNP report of 1184 bytes, signed, or a TDREPORT of 1024, which is not. */
  readonly hardwareReport: Uint8Array;
  readonly runtimeHash: RuntimeHash;
  /** JSON with the keys of the virtual TPM, whose digest begins the hardware's report data. */
  readonly runtimeData: Uint8Array;
}

/**
 * Parses an HCL report (Azure confidential VM guest attestation: attestation report, runtime data): a header, the
 * hardware report, and the request data with the runtime data. What the index holds beyond is zero.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function parseHclReport(bytes: Uint8Array): HclReport {
  if (bytes.length > MAX_HCL_REPORT_BYTES) throw malformed(`${bytes.length} bytes, more than ${MAX_HCL_REPORT_BYTES}`);
  const reader = new ByteReader(bytes, "HCL report", "little");
  if (!looksLikeHclReport(bytes)) throw malformed("the signature HCLA is missing");
  reader.skip(SIGNATURE.length);
  const version = reader.u32();
  if (version !== 1 && version !== 2) throw malformed(`version ${version} is unknown`);
  const length = reader.u32();
  // Request type and status, and 12 bytes without a meaning.
  reader.skip(20);
  const room = reader.take(HARDWARE_REPORT_BYTES);
  const dataLength = reader.u32();
  const requestVersion = reader.u32();
  const requestBytes = REQUEST_DATA_BYTES.get(requestVersion);
  if (requestBytes === undefined) throw malformed(`request data of version ${requestVersion} is unknown`);
  const type = reader.u32();
  const kind = KINDS.get(type);
  if (kind === undefined) throw malformed(`hardware report of type ${type} is unknown`);
  const runtimeHash = HASHES.get(reader.u32());
  if (runtimeHash === undefined) throw malformed("the runtime data is bound by an unknown hash");
  const runtimeLength = reader.u32();
  reader.skip(requestBytes - REQUEST_DATA_START_BYTES);
  if (dataLength !== requestBytes + runtimeLength || length !== HEADER_BYTES + HARDWARE_REPORT_BYTES + dataLength)
    throw malformed("the lengths contradict each other");
  const runtimeData = reader.take(runtimeLength);
  if (!isZero(reader.rest())) throw malformed("there is more than the lengths say");
  return { kind, hardwareReport: kind === "tdx" ? room.subarray(0, TDREPORT_BYTES) : room, runtimeHash, runtimeData };
}

/** True for bytes that begin as a report does. */
export function looksLikeHclReport(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, SIGNATURE.length)) === SIGNATURE;
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `HCL report: ${why}`);
}
