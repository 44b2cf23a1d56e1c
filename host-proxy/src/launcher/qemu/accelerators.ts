import { accessSync, constants, existsSync } from "node:fs";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { Machine } from "./machine.ts";
import { startQemu, type EnclaveMachine, type QemuOptions } from "./qemu.ts";
import type { Accelerator } from "./qemu-arguments.ts";

/** Milliseconds a machine may take to serve under each accelerator. */
const START_MS: Readonly<Record<Accelerator, number>> = { kvm: 20_000, tcg: 300_000 };

const KVM = "/dev/kvm";

/**
 * Accelerators to try, best first. Confidential machines have no second choice.
 * @throws CmcpError `LAUNCH_HARDWARE_MISSING` for a confidential machine without KVM
 */
export function accelerators({ platform }: Pick<Machine, "platform">, kvm = KVM): Accelerator[] {
  const problem = kvmProblem(kvm);
  if (platform !== "sev-snp" && platform !== "tdx") return problem === null ? ["kvm", "tcg"] : ["tcg"];
  if (problem !== null) throw new CmcpError("LAUNCH_HARDWARE_MISSING", `a ${platform} machine needs KVM: ${problem}`);
  return ["kvm"];
}

/**
 * The accelerator that is asked for, or with `auto` those to try.
 * @throws CmcpError `LAUNCH_HARDWARE_MISSING` when it cannot be had, or the machine not be had with it
 */
export function chosenAccelerators(
  wanted: Accelerator | "auto",
  machine: Pick<Machine, "platform">,
  kvm = KVM,
): readonly Accelerator[] {
  const usable = accelerators(machine, kvm);
  if (wanted === "auto") return usable;
  if (usable.includes(wanted)) return [wanted];
  throw new CmcpError(
    "LAUNCH_HARDWARE_MISSING",
    wanted === "tcg"
      ? `a ${machine.platform} machine cannot be emulated`
      : `KVM is asked for: ${kvmProblem(kvm) ?? "it cannot be used"}`,
  );
}

/** Why KVM cannot be used; `null` when it opens. */
export function kvmProblem(kvm = KVM): string | null {
  if (!existsSync(kvm))
    return `there is no ${kvm}; load the kernel module kvm_amd or kvm_intel, and allow virtualisation in the firmware`;
  try {
    accessSync(kvm, constants.R_OK | constants.W_OK);
    return null;
  } catch {
    return `${kvm} is not accessible to this user; add the user to the group that owns it`;
  }
}

/**
 * Starts a machine with the best accelerator that works. A KVM that opens may still be of no use, inside another
 * virtual machine above all, so only a machine that serves in time proves it.
 *
 * @throws CmcpError what the last attempt failed with, as {@link startQemu}
 */
export async function startMachine(
  options: Omit<QemuOptions, "accelerator" | "startMs">,
  usable: readonly Accelerator[] = accelerators(options.machine),
): Promise<EnclaveMachine & { readonly accelerator: Accelerator }> {
  for (const [index, accelerator] of usable.entries()) {
    try {
      return { ...(await startQemu({ ...options, accelerator, startMs: START_MS[accelerator] })), accelerator };
    } catch (thrown) {
      const error = asCmcpError(thrown, "ENCLAVE_UNAVAILABLE", "the machine did not start");
      // Anything but a machine that does not come up is the same under every accelerator.
      if (error.code !== "ENCLAVE_UNAVAILABLE" || index === usable.length - 1 || options.signal?.aborted === true)
        throw error;
      options.log.warn("the machine did not come up; the next accelerator is tried", { code: error.code });
    }
  }
  throw new Error("no accelerator was given");
}
