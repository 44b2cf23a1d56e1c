import { ByteReader, CmcpError } from "@cmcp/boundary";
import { COMMAND } from "./codes.ts";
import { PCR_COUNT } from "./pcr.ts";
import { readResponse, type Tpm } from "./tpm.ts";
import { CommandWriter } from "./writer.ts";

/** Capabilities (part 2, section 6.12) and fixed properties (section 6.13). */
const CAP_HANDLES = 1;
const CAP_PCRS = 5;
const CAP_PROPERTIES = 6;
const PT_MANUFACTURER = 0x105;
const PT_FIRMWARE_VERSION_1 = 0x10b;
const PT_FIRMWARE_VERSION_2 = 0x10c;
const PT_NV_BUFFER_MAX = 0x12c;
/** Most entries of one answer that are read; a TPM has far fewer banks. */
const MAX_ENTRIES = 64;

async function capability<T>(
  tpm: Tpm,
  { kind, property }: { readonly kind: number; readonly property: number },
  read: (reader: ByteReader, entries: number) => T,
): Promise<T> {
  const parameters = new CommandWriter().u32(kind).u32(property).u32(1).done();
  const response = await tpm.run({ name: "TPM2_GetCapability", code: COMMAND.getCapability, parameters });
  return readResponse("TPM2_GetCapability", () => {
    const reader = new ByteReader(response.parameters, "TPM2_GetCapability", "big");
    reader.u8(); // moreData
    if (reader.u32() !== kind) throw new CmcpError("EVIDENCE_MALFORMED", "another capability than the one asked for");
    const entries = reader.u32();
    if (entries > MAX_ENTRIES) throw new CmcpError("EVIDENCE_MALFORMED", "too many entries");
    return read(reader, entries);
  });
}

async function fixedProperty(tpm: Tpm, property: number): Promise<number | undefined> {
  return await capability(tpm, { kind: CAP_PROPERTIES, property }, (reader, entries) =>
    entries > 0 && reader.u32() === property ? reader.u32() : undefined,
  );
}

/** Most bytes one NV read or write moves; 512 where the TPM does not say. */
export async function nvBufferMax(tpm: Tpm): Promise<number> {
  return (await fixedProperty(tpm, PT_NV_BUFFER_MAX)) ?? 512;
}

/** What the TPM says of itself: its maker's four letters and firmware version, such as `IBM 20191023.1636`. */
export async function describeTpm(tpm: Tpm): Promise<string> {
  const maker = (await fixedProperty(tpm, PT_MANUFACTURER)) ?? 0;
  const letters = [24, 16, 8, 0].map((shift) => String.fromCharCode((maker >>> shift) & 0xff)).join("");
  const high = ((await fixedProperty(tpm, PT_FIRMWARE_VERSION_1)) ?? 0).toString(16);
  const low = ((await fixedProperty(tpm, PT_FIRMWARE_VERSION_2)) ?? 0).toString(16);
  return `${letters.replaceAll(/[^\x21-\x7e]/g, "")} ${high}.${low}`;
}

/** TPM_ALG_IDs of the banks that have at least one register allocated. */
export async function allocatedBanks(tpm: Tpm): Promise<number[]> {
  return await capability(tpm, { kind: CAP_PCRS, property: 0 }, (reader, entries) => {
    const banks: number[] = [];
    for (let index = 0; index < entries; index += 1) {
      const bank = reader.u16();
      const map = reader.take(Math.min(reader.u8(), PCR_COUNT));
      if (map.some((byte) => byte !== 0)) banks.push(bank);
    }
    return banks;
  });
}

/** Whether a handle is defined: a persistent object or an NV index. */
export async function hasHandle(tpm: Tpm, handle: number): Promise<boolean> {
  return await capability(
    tpm,
    { kind: CAP_HANDLES, property: handle },
    (reader, entries) => entries > 0 && reader.u32() === handle,
  );
}
