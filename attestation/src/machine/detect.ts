import { CmcpError } from "@cmcp/boundary";
import type { ImagePlatform } from "./image-platform.ts";
import type { Machine } from "./machine.ts";

/** `attestation.provider` as the configuration writes it. */
export type ProviderSetting = "auto" | Provider;
/** A provider that can be collected from. */
export type Provider = "sev-snp" | "tdx" | "azure-cvm" | "tpm" | "software-only";

export interface Detection {
  readonly provider: Provider;
  /** Providers that are here and were not taken: those after the chosen one and, in development, those with a TPM. */
  readonly passedOver: readonly Provider[];
}

// The tag Azure gives every virtual machine; cloud-init tells the platform by it too.
const AZURE_CHASSIS_TAG = "7783-7084-3265-9085-8269-3286-77";

interface Hardware {
  readonly name: Provider;
  readonly found: (machine: Machine) => boolean;
  /** What has to be there, for people. */
  readonly needs: string;
  /** Whether a launch changes a register of the machine until it restarts. */
  readonly measuresLaunch: boolean;
}

const hasTpm = (machine: Machine): boolean => machine.tpm() !== null;

/** In the order they are looked for: the stronger root of trust first. */
const HARDWARE: readonly Hardware[] = [
  {
    name: "sev-snp",
    found: (machine) => machine.exists("/dev/sev-guest"),
    needs: "/dev/sev-guest",
    measuresLaunch: false,
  },
  { name: "tdx", found: (machine) => machine.exists("/dev/tdx_guest"), needs: "/dev/tdx_guest", measuresLaunch: false },
  {
    name: "azure-cvm",
    found: (machine) => hasTpm(machine) && machine.chassisTag() === AZURE_CHASSIS_TAG,
    needs: "Azure's chassis tag and a TPM",
    measuresLaunch: true,
  },
  { name: "tpm", found: hasTpm, needs: "/dev/tpmrm0 or /dev/tpm0", measuresLaunch: true },
];

/** The one provider of an image. The command line that names the platform is measured, so nobody else has a say. */
const OF_IMAGE: Readonly<Record<ImagePlatform, Provider>> = {
  "sev-snp": "sev-snp",
  tdx: "tdx",
  vtpm: "tpm",
  none: "software-only",
};

/** The provider of an image that was started as `platform`, whatever a launch document says. */
export function providerOfImage(platform: ImagePlatform): Provider {
  return OF_IMAGE[platform];
}

/**
 * Chooses the attestation provider. In an image that is the one of its platform, which the launch document may name or leave
 * to it. In a process software-only is chosen by name, for pilots, or in development as the last resort. In development `auto` leaves a TPM alone: the launch would stay in a register of the developer's own
 * machine, where disks may be locked by it.
 *
 * @throws CmcpError `ATTESTATION_PROVIDER_UNSUPPORTED` for hardware asked for that is not here, for another
 * provider than the image's, and for software outside development that is not asked for by name.
 */
export function detectProvider(setting: ProviderSetting, developmentMode: boolean, machine: Machine): Detection {
  const image = machine.imagePlatform();
  if (image !== null) return ofImage(image, setting, developmentMode);
  if (setting === "software-only") return { provider: setting, passedOver: [] };
  const found = HARDWARE.filter((hardware) => hardware.found(machine));
  if (setting === "auto") {
    const first = found.find(({ measuresLaunch }) => !(developmentMode && measuresLaunch));
    const others = found.filter((hardware) => hardware !== first).map(({ name }) => name);
    return first === undefined ? software(developmentMode, others) : { provider: first.name, passedOver: others };
  }
  if (found.some(({ name }) => name === setting)) return { provider: setting, passedOver: [] };
  const needs = HARDWARE.find(({ name }) => name === setting)?.needs ?? "";
  throw unsupported(`attestation.provider ${setting} is not available here: there is no ${needs}`);
}

function ofImage(image: ImagePlatform, setting: ProviderSetting, developmentMode: boolean): Detection {
  const provider = providerOfImage(image);
  if (setting !== "auto" && setting !== provider)
    throw unsupported(
      `attestation.provider ${setting} is not what this image was started as: its command line says ${image}`,
    );
  return provider === "software-only" ? software(developmentMode, []) : { provider, passedOver: [] };
}

function software(developmentMode: boolean, passedOver: readonly Provider[]): Detection {
  if (!developmentMode)
    throw unsupported(
      "there is no hardware that attests here: name attestation.provider software-only, which proves nothing, or set CMCP_DEV_MODE=1",
    );
  return { provider: "software-only", passedOver };
}

function unsupported(why: string): CmcpError {
  return new CmcpError("ATTESTATION_PROVIDER_UNSUPPORTED", why);
}
