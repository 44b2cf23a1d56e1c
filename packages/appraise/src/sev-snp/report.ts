import { ByteReader, CmcpError, isZero } from "@cmcp/boundary";

/** Length of an attestation report (AMD 56860 rev 1.58 section 7.3, table 23). */
export const REPORT_BYTES = 0x4a0;
/** The signature covers everything before it. */
export const SIGNED_BYTES = 0x2a0;

/** Length of the guest's buffer a report comes in through the kernel's ioctl. */
const RESPONSE_BYTES = 4000;
const RESPONSE_HEADER_BYTES = 32;

const VERSIONS: ReadonlySet<number> = new Set([2, 3, 4, 5]);

export interface FirmwareVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** Processor family, model and stepping of a report, with the extended parts included. */
export interface Cpuid {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

/** The signed fields of a report, uninterpreted. TCB versions are 8 bytes whose layout depends on the product. */
export interface SnpReportFields {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: bigint;
  readonly familyId: Uint8Array;
  readonly imageId: Uint8Array;
  /** 0 to 3; ffffffff when the host asked for the report. */
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  readonly currentTcb: Uint8Array;
  readonly platformInfo: bigint;
  readonly keyInfo: number;
  readonly reportData: Uint8Array;
  readonly measurement: Uint8Array;
  readonly hostData: Uint8Array;
  readonly idKeyDigest: Uint8Array;
  readonly authorKeyDigest: Uint8Array;
  readonly reportId: Uint8Array;
  readonly reportIdMa: Uint8Array;
  readonly reportedTcb: Uint8Array;
  /** From version 3 on. */
  readonly cpuid: Cpuid | null;
  readonly chipId: Uint8Array;
  readonly committedTcb: Uint8Array;
  readonly currentVersion: FirmwareVersion;
  readonly committedVersion: FirmwareVersion;
  readonly launchTcb: Uint8Array;
  /** From version 5 on. */
  readonly launchMitigations: bigint | null;
  readonly currentMitigations: bigint | null;
  /** True when every byte the version reserves is zero. */
  readonly reservedIsZero: boolean;
}

/** A parsed report. Its signature is not verified, so its fields are under `unverified`. */
export interface ParsedSnpReport {
  readonly unverified: SnpReportFields;
  readonly signed: Uint8Array;
  /** The 512-byte SIGNATURE field. */
  readonly signature: Uint8Array;
}

/**
 * Parses a report: 1184 bytes, or the kernel's 4000-byte response around them when its status is success, its
 * size 1184 and everything else in it zero.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`.
 */
export function parseSnpReport(input: Uint8Array): ParsedSnpReport {
  const bytes = Uint8Array.from(input.length === RESPONSE_BYTES ? reportOfResponse(input) : input);
  if (bytes.length !== REPORT_BYTES)
    throw new CmcpError("EVIDENCE_MALFORMED", `a SEV-SNP report is ${REPORT_BYTES} bytes, not ${bytes.length}`);
  const signed = bytes.subarray(0, SIGNED_BYTES);
  return { unverified: readFields(signed), signed, signature: bytes.subarray(SIGNED_BYTES) };
}

// AMD 56860 section 7.3, MSG_REPORT_RSP: status, size, 24 reserved bytes, the report.
function reportOfResponse(input: Uint8Array): Uint8Array {
  const reader = new ByteReader(input, "a SEV-SNP report response", "little");
  const plain = reader.u32() === 0 && reader.u32() === REPORT_BYTES && isZero(reader.take(RESPONSE_HEADER_BYTES - 8));
  const report = reader.take(REPORT_BYTES);
  if (!plain || !isZero(reader.rest()))
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      "a SEV-SNP report response with an error status or more than one report in it",
    );
  return report;
}

// AMD 56860 table 23, in its order.
function readFields(signed: Uint8Array): SnpReportFields {
  const reader = new ByteReader(signed, "a SEV-SNP report", "little");
  const version = reader.u32();
  if (!VERSIONS.has(version))
    throw new CmcpError("EVIDENCE_MALFORMED", `SEV-SNP report version ${version}; 2 to 5 are known`);
  const guestSvn = reader.u32();
  const policy = reader.u64();
  const familyId = reader.take(16);
  const imageId = reader.take(16);
  const vmpl = reader.u32();
  const signatureAlgorithm = reader.u32();
  const currentTcb = reader.take(8);
  const platformInfo = reader.u64();
  const keyInfo = reader.u32();
  const reserved = [reader.take(4)];
  const digests = readDigests(reader);
  const reportedTcb = reader.take(8);
  const identification = reader.take(3);
  const [family = 0, model = 0, stepping = 0] = identification;
  if (version < 3) reserved.push(identification);
  reserved.push(reader.take(21));
  const chipId = reader.take(64);
  const committedTcb = reader.take(8);
  const currentVersion = firmwareVersion(reader);
  reserved.push(reader.take(1));
  const committedVersion = firmwareVersion(reader);
  reserved.push(reader.take(1));
  const launchTcb = reader.take(8);
  const mitigations = version < 5 ? null : { launch: reader.u64(), current: reader.u64() };
  reserved.push(reader.rest());
  return {
    version,
    guestSvn,
    policy,
    familyId,
    imageId,
    vmpl,
    signatureAlgorithm,
    currentTcb,
    platformInfo,
    keyInfo,
    ...digests,
    reportedTcb,
    cpuid: version < 3 ? null : { family, model, stepping },
    chipId,
    committedTcb,
    currentVersion,
    committedVersion,
    launchTcb,
    launchMitigations: mitigations?.launch ?? null,
    currentMitigations: mitigations?.current ?? null,
    reservedIsZero: reserved.every((bytes) => isZero(bytes)),
  };
}

/** The fields from REPORT_DATA to REPORT_ID_MA, 0x050 to 0x17f. */
function readDigests(reader: ByteReader) {
  return {
    reportData: reader.take(64),
    measurement: reader.take(48),
    hostData: reader.take(32),
    idKeyDigest: reader.take(48),
    authorKeyDigest: reader.take(48),
    reportId: reader.take(32),
    reportIdMa: reader.take(32),
  };
}

function firmwareVersion(reader: ByteReader): FirmwareVersion {
  const build = reader.u8();
  const minor = reader.u8();
  return { major: reader.u8(), minor, build };
}

/** Which key signed a report, KEY_INFO bits 4 to 2 (AMD 56860 table 23). */
export type Signer = "VCEK" | "VLEK" | "none" | "reserved";

const SIGNERS: Readonly<Record<number, Signer>> = { 0: "VCEK", 1: "VLEK", 7: "none" };

export interface KeyInfo {
  readonly authorKey: boolean;
  /** MASK_CHIP_KEY: the firmware was told not to sign with the chip's key. */
  readonly maskChipKey: boolean;
  readonly signer: Signer;
  readonly reservedIsZero: boolean;
}

export function readKeyInfo(keyInfo: number): KeyInfo {
  return {
    authorKey: (keyInfo & 1) !== 0,
    maskChipKey: (keyInfo & 2) !== 0,
    signer: SIGNERS[(keyInfo >>> 2) & 7] ?? "reserved",
    reservedIsZero: keyInfo >>> 5 === 0,
  };
}
