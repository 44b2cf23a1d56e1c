/**
 * Takes the place of the modules by which the enclave reaches its processor: those of configfs-tsm, of what PID 1 left, of
 * the event log, and of the devices there are. What the machine was launched with is built in; reports are not signed, because the enclave
 * checks no signature of its own processor.
 */
import { FakeKernel, systemError } from "../../../../attestation/src/configfs-tsm/testing/kernel.ts";
import type { Machine } from "../../../../attestation/src/machine/machine.ts";

/** Set when this is bundled. `quote` is a TDX quote of the right form, base64. */
declare const PLAYED: {
  readonly platform: "sev-snp" | "tdx";
  readonly carried: string;
  readonly signsNothing?: true;
  readonly quote: string;
};

const carried = Buffer.from(PLAYED.carried, "hex");
/** SEV-SNP ABI (AMD 56860), table 23. */
const SNP = { bytes: 0x4a0, reportData: 0x50, hostData: 0xc0 } as const;
/** TD report data in a quote of version 4, and MRCONFIGID in a TDREPORT (TDINFO at 512; attributes, XFAM, MRTD before it). */
const TDX = { reportData: 568, tdReportBytes: 1024, mrConfigId: 512 + 8 + 8 + 48 } as const;

function snpReport(reportData: Uint8Array): Uint8Array {
  const report = new Uint8Array(SNP.bytes);
  report[0] = 3;
  report.set(reportData, SNP.reportData);
  report.set(carried, SNP.hostData);
  return report;
}

function tdxQuote(reportData: Uint8Array): Uint8Array {
  if (PLAYED.signsNothing === true) throw systemError("EIO");
  const quote = Uint8Array.from(Buffer.from(PLAYED.quote, "base64"));
  quote.set(reportData, TDX.reportData);
  return quote;
}

export const kernelFiles =
  PLAYED.platform === "sev-snp"
    ? new FakeKernel(
        { provider: "sev_guest", privilegeFloor: 0, report: (inblob) => ({ outblob: snpReport(inblob) }) },
        "/sys/kernel/config/tsm/report",
      )
    : new FakeKernel(
        { provider: "tdx_guest", report: (inblob) => ({ outblob: tdxQuote(inblob) }) },
        "/sys/kernel/config/tsm/report",
      );

export function readLocalTdReport(): Promise<Uint8Array> {
  const report = new Uint8Array(TDX.tdReportBytes);
  report.set(carried, TDX.mrConfigId);
  return Promise.resolve(report);
}

export function localDerivedKey(): null {
  return null;
}

/** A played firmware logs nothing. */
export function readEventLog(): Promise<null> {
  return Promise.resolve(null);
}

export const thisMachine: Machine = {
  exists: (path) => path === (PLAYED.platform === "sev-snp" ? "/dev/sev-guest" : "/dev/tdx_guest"),
  chassisTag: () => "",
  tpm: () => null,
  // What PID 1 says of an image that was started on it.
  imagePlatform: () => PLAYED.platform,
};

export function withTpmSocket(machine: Machine): Machine {
  return machine;
}
