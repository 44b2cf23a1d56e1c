import { digestOf } from "../bytes/digest.ts";
import { utf16WithNul } from "../bytes/text.ts";
import { guidBytes } from "../firmware/guid.ts";

const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const IMAGE_SECURITY = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/** The variables that hold the Secure Boot configuration, in the order firmware measures them. */
const SECURE_BOOT = [
  [GLOBAL, "SecureBoot"],
  [GLOBAL, "PK"],
  [GLOBAL, "KEK"],
  [IMAGE_SECURITY, "db"],
  [IMAGE_SECURITY, "dbx"],
] as const;

function littleEndian(value: number, bytes: 2 | 4 | 8): Uint8Array {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
  return buffer;
}

/** SHA-384 of UEFI_VARIABLE_DATA of each Secure Boot variable when none has a value (TCG PC Client PFP 10.2.6). */
export function emptySecureBootDigests(): readonly Uint8Array[] {
  return SECURE_BOOT.map(([guid, name]) =>
    digestOf("sha384", guidBytes(guid), littleEndian(name.length, 8), littleEndian(0, 8), Buffer.from(name, "utf16le")),
  );
}

/** OVMF's firmware volume of drivers, and its user interface in it. */
const DRIVER_VOLUME = "7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1";
const UI_APP = "462caa21-7614-4503-836e-8ab6f4662331";
/** Active, hidden, an application (UEFI specification 3.1.3, EFI_LOAD_OPTION). */
const UI_APP_ATTRIBUTES = 0x109;

/** Device path nodes for a file in a firmware volume, with the end node (UEFI PI specification, volume 2). */
function volumeFilePath(volume: string, file: string): Uint8Array {
  return Uint8Array.of(4, 7, 20, 0, ...guidBytes(volume), 4, 6, 20, 0, ...guidBytes(file), 0x7f, 0xff, 4, 0);
}

/**
 * SHA-384 of the values of BootOrder and Boot0000 where OVMF's only boot option is its user interface, as in builds up to
 * edk2-stable202502 that start a kernel directly.
 */
export function uiAppBootDigests(): readonly [bootOrder: Uint8Array, boot0000: Uint8Array] {
  const path = volumeFilePath(DRIVER_VOLUME, UI_APP);
  return [
    digestOf("sha384", littleEndian(0, 2)),
    digestOf("sha384", littleEndian(UI_APP_ATTRIBUTES, 4), littleEndian(path.length, 2), utf16WithNul("UiApp"), path),
  ];
}
