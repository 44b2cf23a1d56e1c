import { actionEvent, dataEvent, type BootEvent } from "./event.ts";

/** PCRs that hold what this project measures (TCG PC Client PFP, section 2.3.4; UAPI.7 for those above 8). */
export const PCR = {
  bootPrograms: 4,
  bootConfiguration: 5,
  kernelStub: 9,
  ukiSections: 11,
  ukiParameters: 12,
} as const;

/** Firmware says that it now starts what the boot option names. */
export const CALLING_BOOT_OPTION: BootEvent = actionEvent(PCR.bootPrograms, "Calling EFI Application from Boot Option");

/** Firmware ends its own measurements: four zero bytes (EV_SEPARATOR). Each PCR has one; on TDX each RTMR. */
export const SEPARATOR: BootEvent = dataEvent(PCR.bootPrograms, new Uint8Array(4));

const INVOCATION = actionEvent(PCR.bootConfiguration, "Exit Boot Services Invocation");
const SUCCESS = actionEvent(PCR.bootConfiguration, "Exit Boot Services Returned with Success");
const FAILURE = actionEvent(PCR.bootConfiguration, "Exit Boot Services Returned with Failure");

/**
 * How the kernel leaves firmware. When the memory map changes meanwhile, the first try fails and is made again: the same
 * image then leaves another RTMR1. PCR 4, 9, 11 and 12 do not see it.
 */
export const EXITS = [
  { when: "", events: [INVOCATION, SUCCESS] },
  { when: "firmware was left at the second try", events: [INVOCATION, FAILURE, INVOCATION, SUCCESS] },
] as const;
