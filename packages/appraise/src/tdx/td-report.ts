import { ByteReader } from "@cmcp/boundary";

/**
 * The body of a TD quote (Intel TDX DCAP Quoting Library API, appendix A.3: TD Quote Body). What a TD report says
 * about itself: nothing here is signed until the quote's signature and chain hold.
 */
export interface TdReport {
  /** Security version numbers of the TDX module when the TD was started, 16 bytes: [0] module SVN, [1] module version. */
  readonly teeTcbSvn: Uint8Array;
  /** Measurement of the TDX module, 48 bytes. */
  readonly mrSeam: Uint8Array;
  /** Signer of the TDX module, 48 bytes; zero for Intel's. */
  readonly mrSignerSeam: Uint8Array;
  readonly seamAttributes: bigint;
  readonly tdAttributes: bigint;
  /** Extended features the TD may use, in the layout of XCR0. */
  readonly xfam: bigint;
  /** Measurement of the initial memory, 48 bytes. */
  readonly mrTd: Uint8Array;
  /** Chosen by the host at launch, 48 bytes each. */
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  /** RTMR0 to RTMR3, 48 bytes each, extended by firmware and software of the TD. */
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  /** What the TD asked to be carried, 64 bytes. */
  readonly reportData: Uint8Array;
  /** TDX 1.5: security version numbers of the module running now, 16 bytes. */
  readonly teeTcbSvn2: Uint8Array | null;
  /** TDX 1.5: hash of the service TDs bound to this TD (a migration TD, for example), 48 bytes; zero for none. */
  readonly mrServiceTd: Uint8Array | null;
}

/** Bytes of a register or measurement: SHA-384. */
export const REGISTER_BYTES = 48;
/** Bytes of a body of TDX 1.0 and of TDX 1.5. */
export const TD_REPORT_BYTES = { "1.0": 584, "1.5": 648 } as const;

export type TdReportVersion = keyof typeof TD_REPORT_BYTES;

/** Reads a body of exactly the version's length. Throws `EVIDENCE_MALFORMED`. */
export function readTdReport(bytes: Uint8Array, version: TdReportVersion): TdReport {
  const reader = new ByteReader(bytes, "the TD report", "little");
  const register = (): Uint8Array => reader.take(REGISTER_BYTES);
  const report = {
    teeTcbSvn: reader.take(16),
    mrSeam: register(),
    mrSignerSeam: register(),
    seamAttributes: reader.u64(),
    tdAttributes: reader.u64(),
    xfam: reader.u64(),
    mrTd: register(),
    mrConfigId: register(),
    mrOwner: register(),
    mrOwnerConfig: register(),
    rtmrs: [register(), register(), register(), register()] as const,
    reportData: reader.take(64),
    teeTcbSvn2: version === "1.5" ? reader.take(16) : null,
    mrServiceTd: version === "1.5" ? register() : null,
  };
  reader.end();
  return report;
}
