import { CmcpError } from "@cmcp/boundary";
import type { Machine } from "./machine.ts";

/** `attestation.provider` as the configuration writes it. */
export type ProviderSetting = "auto" | "sev-snp" | "tdx" | "azure-cvm" | "tpm" | "software-only" | "opaque";
/** A provider that can be collected from. */
export type Provider = "software-only";

export interface Detection {
  readonly provider: Provider;
  /** Providers whose hardware is here but which this version does not implement; only in development are they passed over. */
  readonly passedOver: readonly string[];
}

// The tag Azure gives every virtual machine; cloud-init tells the platform by it too.
const AZURE_CHASSIS_TAG = "7783-7084-3265-9085-8269-3286-77";

function hasTpm(machine: Machine): boolean {
  return machine.exists("/dev/tpmrm0") || machine.exists("/dev/tpm0");
}

/** In the order they are looked for: the stronger root of trust first. */
const HARDWARE: readonly { readonly name: ProviderSetting; readonly found: (machine: Machine) => boolean }[] = [
  { name: "sev-snp", found: (machine) => machine.exists("/dev/sev-guest") },
  { name: "tdx", found: (machine) => machine.exists("/dev/tdx_guest") },
  { name: "azure-cvm", found: (machine) => hasTpm(machine) && machine.chassisTag() === AZURE_CHASSIS_TAG },
  { name: "tpm", found: hasTpm },
];

/**
 * Chooses the attestation provider. Software-only is chosen by name or as the last resort, and either way
 * only in development.
 *
 * @throws CmcpError `ATTESTATION_PROVIDER_NOT_IMPLEMENTED` for hardware this version cannot use,
 * `ATTESTATION_PROVIDER_UNSUPPORTED` for `opaque`, and for software outside development.
 */
export function detectProvider(setting: ProviderSetting, developmentMode: boolean, machine: Machine): Detection {
  if (setting === "opaque") {
    throw new CmcpError("ATTESTATION_PROVIDER_UNSUPPORTED", "attestation.provider opaque gives no assurance and is not supported");
  }
  if (setting === "software-only") return software(developmentMode, []);
  if (setting !== "auto") throw notImplemented(setting);
  const found = HARDWARE.filter((provider) => provider.found(machine)).map(({ name }) => name);
  const [first] = found;
  if (first !== undefined && !developmentMode) throw notImplemented(first);
  return software(developmentMode, found);
}

function software(developmentMode: boolean, passedOver: readonly string[]): Detection {
  if (!developmentMode) {
    throw new CmcpError("ATTESTATION_PROVIDER_UNSUPPORTED", "software-only attestation proves nothing and starts only with CMCP_DEV_MODE=1");
  }
  return { provider: "software-only", passedOver };
}

function notImplemented(name: string): CmcpError {
  return new CmcpError("ATTESTATION_PROVIDER_NOT_IMPLEMENTED", `attestation.provider ${name} is not implemented in this version`);
}
