import { CmcpError } from "@cmcp/boundary";
import { cpuSignature, cpuTypeSignature, type VmmType } from "@cmcp/measure";
import { required } from "../arguments.ts";
import { readInteger } from "./numbers.ts";

/** Options that say which processor the guest sees; one of three ways. */
export const VCPU_OPTIONS = {
  "vcpu-type": { type: "string" },
  "vcpu-sig": { type: "string" },
  "vcpu-family": { type: "string" },
  "vcpu-model": { type: "string" },
  "vcpu-stepping": { type: "string" },
} as const;

type VcpuValues = { readonly [Option in keyof typeof VCPU_OPTIONS]?: string | undefined };

/**
 * CPUID signature the options name. Clouds do not pass it on, and then none need be named.
 * @throws CmcpError `USAGE`, `MEASURE_INPUT_INVALID`
 */
export function readVcpu(values: VcpuValues, vmm: VmmType): number {
  const {
    "vcpu-type": type,
    "vcpu-sig": signature,
    "vcpu-family": family,
    "vcpu-model": model,
    "vcpu-stepping": stepping,
  } = values;
  const parts = [family, model, stepping].filter((part) => part !== undefined);
  if ([type, signature, parts[0]].filter((way) => way !== undefined).length > 1)
    throw new CmcpError("USAGE", "--vcpu-type, --vcpu-sig and --vcpu-family exclude each other");
  if (type !== undefined) return cpuTypeSignature(type);
  if (signature !== undefined) return readInteger(signature, "--vcpu-sig", 0xffff_ffff);
  if (parts.length > 0) {
    const [of, at, step] = [
      required(family, "--vcpu-family"),
      required(model, "--vcpu-model"),
      required(stepping, "--vcpu-stepping"),
    ];
    return cpuSignature(
      readInteger(of, "--vcpu-family"),
      readInteger(at, "--vcpu-model"),
      readInteger(step, "--vcpu-stepping"),
    );
  }
  if (vmm === "QEMU")
    throw new CmcpError(
      "USAGE",
      "--vcpu-type, --vcpu-sig or --vcpu-family is required: QEMU passes the processor's signature to the guest",
    );
  return 0;
}
