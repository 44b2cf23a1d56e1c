import { ALGORITHM, COMMAND, HANDLE } from "../../commands/codes.ts";
import type { Tpm } from "../../commands/tpm.ts";
import { CommandWriter } from "../../commands/writer.ts";

/** Commands with which a platform's maker sets a TPM up; the collector itself never sends them. */
const NV_DEFINE_SPACE = 0x12a;
const EVICT_CONTROL = 0x120;
const OWNER_WRITE_AND_READ = (1 << 1) | (1 << 17);
const AUTH_WRITE_AND_READ = (1 << 2) | (1 << 18);
const NO_DICTIONARY_ATTACK = 1 << 25;
const CHUNK = 512;

/** Defines an NV index with this content, `room` bytes large. `by` says who may read and write it. */
export async function defineNv(
  tpm: Tpm,
  index: number,
  content: Uint8Array,
  { room = content.length, by = "owner" }: { readonly room?: number; readonly by?: "owner" | "index" } = {},
): Promise<void> {
  const attributes = NO_DICTIONARY_ATTACK | (by === "owner" ? OWNER_WRITE_AND_READ : AUTH_WRITE_AND_READ);
  const area = new CommandWriter().u32(index).u16(ALGORITHM.sha256).u32(attributes).u16(0).u16(room).done();
  await tpm.run({
    name: "TPM2_NV_DefineSpace",
    code: NV_DEFINE_SPACE,
    handles: [HANDLE.owner],
    authorization: "password",
    parameters: new CommandWriter().u16(0).sized(area).done(),
  });
  const padded = new Uint8Array(room);
  padded.set(content);
  for (let offset = 0; offset < room; offset += CHUNK) {
    const parameters = new CommandWriter()
      .sized(padded.subarray(offset, offset + CHUNK))
      .u16(offset)
      .done();
    await tpm.run({
      name: "TPM2_NV_Write",
      code: COMMAND.nvWrite,
      handles: [by === "owner" ? HANDLE.owner : index, index],
      authorization: "password",
      parameters,
    });
  }
}

/** Makes a loaded object persistent; given the persistent handle itself, takes it away. */
export async function persist(tpm: Tpm, object: number, handle: number): Promise<void> {
  await tpm.run({
    name: "TPM2_EvictControl",
    code: EVICT_CONTROL,
    handles: [HANDLE.owner, object],
    authorization: "password",
    parameters: new CommandWriter().u32(handle).done(),
  });
}

/** TPMT_PUBLIC of an RSA 2048 attestation key that signs with RSASSA and SHA-256, as clouds make them. */
export function rsaKeyTemplate(): Uint8Array {
  const attributes = 0x00050072;
  return new CommandWriter()
    .u16(0x0001)
    .u16(ALGORITHM.sha256)
    .u32(attributes)
    .u16(0)
    .u16(ALGORITHM.null)
    .u16(0x0014)
    .u16(ALGORITHM.sha256)
    .u16(2048)
    .u32(0)
    .u16(0)
    .done();
}
