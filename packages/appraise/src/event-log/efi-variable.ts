import { ByteReader, CmcpError } from "@cmcp/boundary";

/** UEFI_VARIABLE_DATA of an event (TCG PC Client Platform Firmware Profile, section on EFI variables). */
export interface EfiVariable {
  /** GUID in its text form, lowercase. */
  readonly vendor: string;
  readonly name: string;
  readonly data: Uint8Array;
}

/** GUID under which UEFI keeps SecureBoot, PK and KEK (UEFI section 3.3). */
export const EFI_GLOBAL_VARIABLE = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/** Longest variable name taken, in UTF-16 units. */
const MAX_NAME_UNITS = 512;

/** Reads the data of a variable event. Throws `EVIDENCE_MALFORMED` for anything else. */
export function parseEfiVariable(bytes: Uint8Array): EfiVariable {
  const reader = new ByteReader(bytes, "EFI variable", "little");
  const vendor = readGuid(reader);
  const nameUnits = reader.u64();
  const dataLength = reader.u64();
  if (nameUnits > BigInt(MAX_NAME_UNITS))
    throw new CmcpError("EVIDENCE_MALFORMED", "EFI variable: the name is too long");
  let name = "";
  for (let unit = 0; unit < Number(nameUnits); unit += 1) name += String.fromCharCode(reader.u16());
  if (dataLength > BigInt(reader.remaining))
    throw new CmcpError("EVIDENCE_MALFORMED", "EFI variable: the data is longer than the event");
  const data = reader.take(Number(dataLength));
  reader.end();
  return { vendor, name, data };
}

function readGuid(reader: ByteReader): string {
  const first = hex(reader.u32(), 8);
  const second = hex(reader.u16(), 4);
  const third = hex(reader.u16(), 4);
  const rest = Array.from(reader.take(8), (byte) => hex(byte, 2)).join("");
  return `${first}-${second}-${third}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
