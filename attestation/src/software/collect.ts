import { CmcpError } from "@cmcp/boundary";
import { REPORT_DATA_BYTES, SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT, type Evidence } from "@cmcp/appraise/evidence";

/**
 * The shape of a report without hardware behind it: it binds like a real one and proves nothing about where
 * it was made. For development.
 *
 * @param reportData 64 bytes; anything else throws `INTERNAL`.
 * @param now milliseconds since the epoch.
 */
export function collectSoftware(reportData: Uint8Array, now: number): Evidence {
  if (reportData.length !== REPORT_DATA_BYTES)
    throw new CmcpError("INTERNAL", `report_data is ${REPORT_DATA_BYTES} bytes`);
  return {
    platform: "software-only",
    measurement: SOFTWARE_MEASUREMENT,
    reportData: Uint8Array.from(reportData),
    firmware: SOFTWARE_FIRMWARE,
    generatedAt: now,
    parts: { provider: "software-only" },
  };
}
