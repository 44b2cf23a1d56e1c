import type { Duplex } from "node:stream";
import { CmcpError, toHex } from "@cmcp/boundary";
import { AzureCollector, readParavisor } from "../azure/collect.ts";
import { metadataOver } from "../azure/metadata-http.ts";
import type { TsmSource } from "../configfs-tsm/report.ts";
import type { Provider } from "../machine/detect.ts";
import { SOFTWARE_MEASUREMENT, type Evidence } from "@cmcp/appraise/evidence";
import { requireCarried, type BoundLaunch, type LaunchDigests } from "../machine/launch-carrier.ts";
import type { TpmLocation } from "../machine/machine.ts";
import { sealingOf, type Sealing } from "../sealing/sealing.ts";
import type { DerivedKey } from "../sealing/snp-secret.ts";
import { collectSevSnp, readLocalSnpReport } from "../sev-snp/collect.ts";
import { collectSoftware } from "../software/collect.ts";
import { collectTdx } from "../tdx/collect.ts";
import { readTdLaunch, type TdReportSource } from "../tdx/launch-carrier.ts";
import { collectTpm, EVENT_LOG_PATH, measureImage, withTpm, type TpmSource } from "../tpm/collect.ts";
import { measureLaunch } from "../tpm/commands/measure-launch.ts";
import type { Tpm } from "../tpm/commands/tpm.ts";
import { openTpmDevice } from "../tpm/transport/device.ts";
import { connectTpmSocket } from "../tpm/transport/socket.ts";
import type { TpmTransport } from "../tpm/transport/transport.ts";

/** What an attester may reach of the machine around it. */
export interface AttesterAccess {
  readonly tpm: TpmLocation | null;
  /** Opens a byte stream to Azure's instance metadata service. */
  readonly dialMetadata: (signal: AbortSignal) => Promise<Duplex>;
  /** The local TDREPORT that the image's init left, for kernels that show no registers. */
  readonly tdReport: TdReportSource;
  /** The key that the firmware derived and the image's init left; `null` where there is none. */
  readonly derivedKey: DerivedKey | null;
  /** Another configfs than the kernel's, for tests. */
  readonly tsm?: Partial<Omit<TsmSource, "provider">>;
}

/** One platform, as the gateway uses it. */
export interface Attester {
  readonly provider: Provider;
  /**
   * Establishes that this machine was launched for this document: compares with what the processor was given at
   * launch, or measures it into the TPM. Called once; in an image before anything parses the document, in a process before
   * anything of it is acted on.
   *
   * @throws CmcpError `LAUNCH_DIGEST_MISMATCH`, `ATTESTATION_REPORT_UNAVAILABLE`
   */
  bindLaunch(digests: LaunchDigests): Promise<BoundLaunch>;
  /**
   * Evidence over 64 bytes of report data.
   * @param now milliseconds since the epoch
   * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
   */
  collect(reportData: Uint8Array, now: number): Promise<Evidence>;
  /** How a secret can be kept over a restart, or why it cannot. @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` */
  sealing(): Promise<Sealing>;
}

/** The attester of a provider that was found. */
export function attesterOf(provider: Provider, access: AttesterAccess): Attester {
  const sealing = async (): Promise<Sealing> =>
    await sealingOf(provider, {
      openTpm: tpmOf(access),
      derivedKey: access.derivedKey,
      ...(access.tsm === undefined ? {} : { tsm: access.tsm }),
    });
  return { provider, sealing, ...collectorOf(provider, access) };
}

function collectorOf(provider: Provider, access: AttesterAccess): Pick<Attester, "bindLaunch" | "collect"> {
  switch (provider) {
    case "sev-snp":
      return {
        async bindLaunch({ sha256 }) {
          const { hostData, measurement } = await readLocalSnpReport(access.tsm);
          requireCarried("HOST_DATA", hostData, sha256);
          return { carrier: "HOST_DATA", platform: "amd-sev-snp", measurement: `sha384:${toHex(measurement)}` };
        },
        collect: async (reportData, now) => await collectSevSnp(reportData, now, access.tsm),
      };
    case "tdx":
      return {
        async bindLaunch({ sha384 }) {
          const { mrTd, mrConfigId } = await readTdLaunch(access.tdReport);
          requireCarried("MRCONFIGID", mrConfigId, sha384);
          return { carrier: "MRCONFIGID", platform: "intel-tdx", measurement: `sha384:${toHex(mrTd)}` };
        },
        collect: async (reportData, now) => await collectTdx(reportData, now, access.tsm),
      };
    case "azure-cvm": {
      const collector = new AzureCollector({ ...tpmSourceOf(access), metadata: metadataOver(access.dialMetadata) });
      return {
        bindLaunch: measuring(access, readParavisor),
        collect: async (reportData, now) => await collector.collect(reportData, now),
      };
    }
    case "tpm":
      return {
        bindLaunch: measuring(access, async (tpm) => ({ platform: "tpm2", measurement: await measureImage(tpm) })),
        collect: async (reportData, now) => await collectTpm(reportData, now, tpmSourceOf(access)),
      };
    case "software-only":
      return {
        bindLaunch: () =>
          Promise.resolve({ carrier: "none", platform: "software-only", measurement: SOFTWARE_MEASUREMENT }),
        collect: (reportData, now) => Promise.resolve(collectSoftware(reportData, now)),
      };
  }
}

/** Opens the machine's TPM. @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` */
export function tpmOf({ tpm }: Pick<AttesterAccess, "tpm">): () => Promise<TpmTransport> {
  return async () => {
    if (tpm === null) throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "this machine has no TPM");
    return tpm.kind === "socket" ? await connectTpmSocket(tpm.path) : await openTpmDevice(tpm.path);
  };
}

/** The machine's log is of the machine's TPM; a software TPM behind a socket has none. */
export function tpmSourceOf(access: Pick<AttesterAccess, "tpm">): TpmSource {
  return { open: tpmOf(access), eventLogPath: access.tpm?.kind === "device" ? EVENT_LOG_PATH : null };
}

/** Measures the launch into the TPM, which could not be told it before. */
function measuring(
  access: AttesterAccess,
  describe: (tpm: Tpm) => Promise<Omit<BoundLaunch, "carrier">>,
): Attester["bindLaunch"] {
  return async ({ sha256 }) =>
    await withTpm({ open: tpmOf(access) }, async (tpm) => {
      const started = await describe(tpm);
      await measureLaunch(tpm, sha256);
      return { carrier: "PCR 15", ...started };
    });
}
