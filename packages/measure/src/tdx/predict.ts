import { rtmrValue } from "../boot/event.ts";
import { EXITS } from "../boot/firmware-events.ts";
import type { BootVariants, Variant } from "../boot/variants.ts";
import { valuesOver, type Prediction, type RegisterPrediction } from "../prediction.ts";
import { mrtd, PAGE_ORDERS, type PageOrder } from "./mrtd.ts";
import { rtmr0, type AcpiDigests } from "./rtmr0.ts";
import { tdHobDigest } from "./td-hob.ts";
import { variableStore } from "./variable-store.ts";

/** What is known of the machine that starts the trust domain. */
export interface TdxMachine {
  /** Bytes of memory. */
  readonly memory?: number;
  readonly acpi?: AcpiDigests;
}

const ORDER_HOSTS: Readonly<Record<PageOrder, string>> = {
  "single-pass": "single pass: mainline KVM, QEMU from 9 on",
  "two-pass": "two passes: QEMU 8 with vendor patches",
};

/** Each way of starting the image with each way of leaving firmware. */
function withExits(variants: readonly Variant[]): readonly Variant[] {
  return EXITS.flatMap((exit) =>
    variants.map(({ when, events }) => ({
      when: [when, exit.when].filter((text) => text !== "").join("; "),
      events: [...events, ...exit.events],
    })),
  );
}

function rtmr0Prediction(firmware: Uint8Array, { memory, acpi }: TdxMachine): RegisterPrediction | string {
  if (memory === undefined) return "depends on the memory size: the hand-off blocks list it";
  if (acpi === undefined) return "depends on the ACPI tables that the host's QEMU writes";
  const store = variableStore(firmware);
  if (!store.empty) return "the firmware's variable store holds variables, whose events are not predicted";
  const value = rtmr0({ tdHob: tdHobDigest(firmware, memory), variableStore: store.digest, acpi });
  return {
    register: "rtmr0",
    from: "image and machine",
    values: [{ value, when: "OVMF up to edk2 202502; newer builds measure SMBIOS tables and more here" }],
  };
}

/**
 * MRTD of a firmware, RTMR1 and 2 of what it starts, RTMR0 when the machine is known. RTMR3 is zero until a guest extends it.
 * A start from a disk is left out: RTMR1 then has the disk's partition table.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function predictTdx(firmware: Uint8Array, boot: BootVariants | undefined, machine: TdxMachine): Prediction {
  const registers: RegisterPrediction[] = [
    {
      register: "mrtd",
      from: "image",
      values: valuesOver(
        PAGE_ORDERS.map((order) => ({ when: ORDER_HOSTS[order], order })),
        ({ order }) => mrtd(firmware, order),
      ),
    },
  ];
  const predicted = rtmr0Prediction(firmware, machine);
  if (typeof predicted !== "string") registers.push(predicted);
  if (boot !== undefined) {
    const { programs, parameters } = boot;
    registers.push({
      register: "rtmr1",
      from: "image",
      values: valuesOver(withExits(programs.filter(({ fromDisk }) => fromDisk !== true)), ({ events }) =>
        rtmrValue(events, 1),
      ),
    });
    registers.push({
      register: "rtmr2",
      from: "image",
      values: valuesOver(parameters, ({ events }) => rtmrValue(events, 2)),
    });
  }
  return { registers, notPredicted: typeof predicted === "string" ? [{ register: "rtmr0", why: predicted }] : [] };
}
