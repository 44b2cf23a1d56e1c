import { accessSync, constants } from "node:fs";
import { asCmcpError } from "@cmcp/boundary";
import type { Machine } from "./machine.ts";
import { startQemu, type EnclaveMachine, type QemuOptions } from "./qemu.ts";
import type { Accelerator } from "./qemu-arguments.ts";

/** Milliseconds a machine may take to serve under each accelerator. */
const START_MS: Readonly<Record<Accelerator, number>> = { kvm: 20_000, tcg: 120_000 };

/** Accelerators to try, best first. Confidential machines have no second choice. */
export function accelerators({ platform }: Pick<Machine, "platform">, kvm = "/dev/kvm"): Accelerator[] {
  if (platform === "sev-snp" || platform === "tdx") return ["kvm"];
  try {
    accessSync(kvm, constants.R_OK | constants.W_OK);
    return ["kvm", "tcg"];
  } catch {
    return ["tcg"];
  }
}

/**
 * Starts a machine with the best accelerator that works. A KVM that opens may still be of no use, inside another virtual
 * machine above all, so only a machine that serves in time proves it.
 *
 * @throws CmcpError what the last attempt failed with, as {@link startQemu}
 */
export async function startMachine(options: Omit<QemuOptions, "accelerator" | "startMs">, usable: readonly Accelerator[] = accelerators(options.machine)): Promise<EnclaveMachine & { readonly accelerator: Accelerator }> {
  for (const [index, accelerator] of usable.entries()) {
    try {
      return { ...(await startQemu({ ...options, accelerator, startMs: START_MS[accelerator] })), accelerator };
    } catch (thrown) {
      const error = asCmcpError(thrown, "ENCLAVE_UNAVAILABLE", "the machine did not start");
      // Anything but a machine that does not come up is the same under every accelerator.
      if (error.code !== "ENCLAVE_UNAVAILABLE" || index === usable.length - 1) throw error;
      options.log.warn("the machine did not come up; the next accelerator is tried", { code: error.code });
    }
  }
  throw new Error("no accelerator was given");
}
