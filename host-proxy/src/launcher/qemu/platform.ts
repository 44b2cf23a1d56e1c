import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";

/** What a machine that this host starts can be. */
export type HostPlatform = "sev-snp" | "tdx" | "vtpm";

/** Where a host's devices and its kernel's parameters are, for tests. */
interface HostFolders {
  readonly sys?: string;
  readonly dev?: string;
}

/** Characters of a module's parameter that are looked at. */
const PARAMETER_CHARACTERS = 8;

/**
 * Where a host says what it has: KVM's module is loaded with the feature on (Linux, arch/x86/kvm), and for SEV-SNP the
 * security processor's device is there.
 */
const SIGNS: Readonly<
  Record<"sev-snp" | "tdx", { readonly parameter: string; readonly device: string | null; readonly advice: string }>
> = {
  "sev-snp": {
    parameter: "module/kvm_amd/parameters/sev_snp",
    device: "sev",
    advice: "use an EPYC of the 7003 series or later with SEV-SNP on in its firmware, and a kernel of 6.11 or later",
  },
  tdx: {
    parameter: "module/kvm_intel/parameters/tdx",
    device: null,
    advice: "use a Xeon with TDX on in its firmware, a kernel of 6.16 or later, and kvm_intel.tdx=1",
  },
};

/** Whether this host can start machines of a platform. */
export function hostHas(platform: "sev-snp" | "tdx", { sys = "/sys", dev = "/dev" }: HostFolders = {}): boolean {
  const { parameter, device } = SIGNS[platform];
  try {
    const on = /^[Y1]/.test(readFileSync(join(sys, parameter), "latin1").slice(0, PARAMETER_CHARACTERS));
    return on && (device === null || existsSync(join(dev, device)));
  } catch {
    return false;
  }
}

/**
 * What a machine shall be on this host: what is asked for, or with `auto` the best there is, a machine with a virtual
 * TPM at least.
 * @throws CmcpError `LAUNCH_HARDWARE_MISSING` when what is asked for is not there
 */
export function platformOf(wanted: HostPlatform | "auto", folders: HostFolders = {}): HostPlatform {
  if (wanted === "vtpm") return wanted;
  if (wanted === "auto") return (["sev-snp", "tdx"] as const).find((platform) => hostHas(platform, folders)) ?? "vtpm";
  if (!hostHas(wanted, folders))
    throw new CmcpError("LAUNCH_HARDWARE_MISSING", `this host has no ${wanted} switched on: ${SIGNS[wanted].advice}`);
  return wanted;
}
