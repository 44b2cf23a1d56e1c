import { extendAll } from "../bytes/digest.ts";
import { SEPARATOR } from "../boot/firmware-events.ts";
import { emptySecureBootDigests, uiAppBootDigests } from "./efi-variables.ts";

/** SHA-384 of the three ACPI blobs in the order firmware reads them from QEMU. 48 bytes each. */
export interface AcpiDigests {
  /** `etc/table-loader` */
  readonly loader: Uint8Array;
  /** `etc/acpi/rsdp` */
  readonly rsdp: Uint8Array;
  /** `etc/acpi/tables` */
  readonly tables: Uint8Array;
}

/** What RTMR0 depends on besides constants of the firmware. */
export interface Rtmr0Inputs {
  readonly tdHob: Uint8Array;
  readonly variableStore: Uint8Array;
  readonly acpi: AcpiDigests;
}

/** RTMR0 of an OVMF up to edk2-stable202502 without Secure Boot keys that starts a kernel directly. Lowercase hex of 48 bytes. */
export function rtmr0({ tdHob, variableStore, acpi }: Rtmr0Inputs): string {
  return extendAll("sha384", [
    tdHob,
    variableStore,
    ...emptySecureBootDigests(),
    SEPARATOR.digest.sha384,
    acpi.loader,
    acpi.rsdp,
    acpi.tables,
    ...uiAppBootDigests(),
  ]);
}
