import { digestOf } from "../bytes/digest.ts";
import { inputReader, invalid } from "../bytes/input.ts";
import { openFirmware } from "../firmware/firmware.ts";
import { guidText } from "../firmware/guid.ts";
import { tdvfSections } from "../firmware/tdvf-metadata.ts";

/** Offset of the header's length in a firmware volume (UEFI PI specification, EFI_FIRMWARE_VOLUME_HEADER). */
const VOLUME_HEADER_LENGTH = 0x30;
/** Bytes of a variable store's header; its format GUID stands first (edk2 VariableFormat.h, VARIABLE_STORE_HEADER). */
const STORE_HEADER_BYTES = 28;
const AUTHENTICATED_STORE = "aaf32c78-947b-439a-a180-2e144ec37792";
/** First word of a variable. */
const VARIABLE_START = 0x55aa;

/** The firmware's variable store, which TDX calls the configuration firmware volume. */
export interface VariableStore {
  /** SHA-384 of the volume: the second event of RTMR0. */
  readonly digest: Uint8Array;
  /** No variable was stored, so no Secure Boot keys: the events that follow are those of empty variables. */
  readonly empty: boolean;
}

/** Reads the CFV section. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function variableStore(firmware: Uint8Array): VariableStore {
  const [volume, second] = tdvfSections(openFirmware(firmware)).filter(({ type }) => type === "CFV");
  if (volume === undefined || second !== undefined)
    throw invalid("TDVF metadata", "does not have exactly one CFV section");
  const reader = inputReader(volume.data, "variable store");
  const header = reader.at(VOLUME_HEADER_LENGTH).u16();
  if (guidText(reader.slice(header, 16)) !== AUTHENTICATED_STORE)
    throw invalid("variable store", "is not in the format edk2 uses for authenticated variables");
  return {
    digest: digestOf("sha384", volume.data),
    empty: reader.at(header + STORE_HEADER_BYTES).u16() !== VARIABLE_START,
  };
}
