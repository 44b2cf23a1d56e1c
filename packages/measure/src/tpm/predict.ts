import type { HashAlgorithm } from "../bytes/digest.ts";
import { pcrValue } from "../boot/event.ts";
import { PCR } from "../boot/firmware-events.ts";
import type { BootVariants, Variant } from "../boot/variants.ts";
import { valuesOver, type Prediction, type RegisterPrediction } from "../prediction.ts";

/** PCRs that follow from an image, and no others: the rest are the firmware's, the machine's or the disk's. */
const NOT_PREDICTED = [
  { register: "pcr0, pcr2, pcr3, pcr6, pcr7", why: "the machine's firmware, its devices and its Secure Boot keys" },
  { register: "pcr1", why: "ACPI and SMBIOS tables and boot options, which the host writes" },
  { register: "pcr5", why: "the disk's partition table, and how often the kernel tried to leave firmware" },
] as const;

/** PCR 4, 9, 11 and 12 of one bank of a virtual TPM. */
export function predictPcrs({ programs, parameters }: BootVariants, bank: HashAlgorithm): Prediction {
  const over = (variants: readonly Variant[], pcr: number): RegisterPrediction => ({
    register: `pcr${pcr}`,
    from: "image",
    values: valuesOver(variants, ({ events }) => pcrValue(events, bank, pcr)),
  });
  return {
    registers: [
      over(programs, PCR.bootPrograms),
      over(parameters, PCR.kernelStub),
      over(parameters, PCR.ukiSections),
      over(parameters, PCR.ukiParameters),
    ],
    notPredicted: NOT_PREDICTED,
  };
}
