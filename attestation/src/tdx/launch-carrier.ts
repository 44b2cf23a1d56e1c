import { asCmcpError, ByteReader, CmcpError } from "@cmcp/boundary";
import { thisMachine } from "../machine/machine.ts";
import { readBounded } from "../machine/read-bounded.ts";
import { REGISTER_BYTES } from "@cmcp/appraise/evidence";

/** Registers of the TD as its own module reports them (Linux ABI, sysfs-devices-virtual-misc-tdx_guest; since 6.16). */
export const TDX_MEASUREMENTS = "/sys/devices/virtual/misc/tdx_guest/measurements";
/** TDINFO in a TDREPORT begins with attributes and XFAM, then MRTD and MRCONFIGID (Intel TDX module specification, TDINFO_BASE). */
const MRTD_OFFSET = 512 + 8 + 8;
const TD_REPORT_BYTES = 1024;

/** Gives the TDREPORT, 1024 bytes, that the image's native helper had from the TDX module (sealing/SPEC.md). */
export type TdReportSource = () => Promise<Uint8Array>;

/** What this TD was started from and for, 48 bytes each. */
export interface TdLaunch {
  readonly mrTd: Uint8Array;
  readonly mrConfigId: Uint8Array;
}

/**
 * Reads the launch registers of this TD from the TDX module: sysfs, or a local TDREPORT where the kernel is older.
 * Never from a quote: that passes through the host, who could hand back one of another TD.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function readTdLaunch(tdReport: TdReportSource, folder: string = TDX_MEASUREMENTS): Promise<TdLaunch> {
  const register = async (name: string): Promise<Uint8Array> =>
    exactly(await readBounded(`${folder}/${name}`, REGISTER_BYTES), REGISTER_BYTES, name);
  if (thisMachine.exists(folder)) {
    try {
      return { mrTd: await register("mrtd:sha384"), mrConfigId: await register("mrconfigid") };
    } catch (thrown) {
      throw asCmcpError(thrown, "ATTESTATION_REPORT_UNAVAILABLE", "the TD's registers cannot be read");
    }
  }
  return launchOfTdReport(exactly(await tdReport(), TD_REPORT_BYTES, "the TDREPORT"));
}

/** The launch registers in a TDREPORT of 1024 bytes. */
export function launchOfTdReport(report: Uint8Array): TdLaunch {
  const reader = new ByteReader(report, "the TDREPORT", "little").at(MRTD_OFFSET);
  return { mrTd: reader.take(REGISTER_BYTES).slice(), mrConfigId: reader.take(REGISTER_BYTES).slice() };
}

function exactly(bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length !== length) throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `${what} is not ${length} bytes`);
  return bytes;
}
