import { ByteReader, CmcpError } from "@cmcp/boundary";
import { nvBufferMax } from "./capability.ts";
import { COMMAND, HANDLE } from "./codes.ts";
import { readResponse, type Tpm } from "./tpm.ts";
import { CommandWriter } from "./writer.ts";

/** Largest NV index that is read, in bytes. */
export const MAX_NV_BYTES = 16 * 1024;
/** Most bytes moved at a time, whatever the TPM offers. */
const MAX_CHUNK = 1024;
/** NV attributes (part 2, section 13.4): the owner may read, the index's own (empty) authorisation may. */
const OWNER_READ = 1 << 17;

interface NvPublic {
  readonly attributes: number;
  readonly bytes: number;
}

async function readNvPublic(tpm: Tpm, index: number): Promise<NvPublic> {
  const { parameters } = await tpm.run({ name: "TPM2_NV_ReadPublic", code: COMMAND.nvReadPublic, handles: [index] });
  return readResponse("TPM2_NV_ReadPublic", () => {
    const outer = new ByteReader(parameters, "TPM2_NV_ReadPublic", "big");
    // TPMS_NV_PUBLIC (part 2, section 13.5): index, name algorithm, attributes, policy, size of the data.
    const reader = new ByteReader(outer.take(outer.u16()), "TPMS_NV_PUBLIC", "big");
    if (reader.u32() !== index) throw new CmcpError("EVIDENCE_MALFORMED", "another index than the one asked for");
    reader.u16();
    const attributes = reader.u32();
    reader.skip(reader.u16());
    return { attributes, bytes: reader.u16() };
  });
}

/** Whoever may read or write: the owner where the index allows it, else the index's own empty authorisation. */
function authority(index: number, attributes: number, ownerBit: number): number {
  return (attributes & ownerBit) === 0 ? index : HANDLE.owner;
}

/**
 * The whole content of an NV index (TPM2_NV_Read, part 3, section 31.13).
 * @throws TpmResponseError with `RESPONSE.handle` when there is no such index.
 */
export async function readNv(tpm: Tpm, index: number): Promise<Uint8Array> {
  const { attributes, bytes } = await readNvPublic(tpm, index);
  if (bytes > MAX_NV_BYTES)
    throw new CmcpError(
      "ATTESTATION_REPORT_UNAVAILABLE",
      `the TPM's NV index 0x${index.toString(16)} is larger than ${MAX_NV_BYTES} bytes`,
    );
  const chunk = Math.max(1, Math.min(await nvBufferMax(tpm), MAX_CHUNK));
  const content = new Uint8Array(bytes);
  for (let offset = 0; offset < bytes; offset += chunk) {
    const wanted = Math.min(chunk, bytes - offset);
    content.set(
      await readNvChunk(tpm, { index, authorizer: authority(index, attributes, OWNER_READ) }, offset, wanted),
      offset,
    );
  }
  return content;
}

async function readNvChunk(
  tpm: Tpm,
  { index, authorizer }: { readonly index: number; readonly authorizer: number },
  offset: number,
  wanted: number,
): Promise<Uint8Array> {
  const parameters = new CommandWriter().u16(wanted).u16(offset).done();
  const response = await tpm.run({
    name: "TPM2_NV_Read",
    code: COMMAND.nvRead,
    handles: [authorizer, index],
    authorization: "password",
    parameters,
  });
  return readResponse("TPM2_NV_Read", () => {
    const reader = new ByteReader(response.parameters, "TPM2_NV_Read", "big");
    const data = reader.take(reader.u16());
    if (data.length !== wanted) throw new CmcpError("EVIDENCE_MALFORMED", "less data than asked for");
    return data;
  });
}
