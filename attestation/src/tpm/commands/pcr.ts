import { ByteReader, CmcpError } from "@cmcp/boundary";
import { COMMAND, DIGEST_BYTES } from "./codes.ts";
import { readResponse, type Tpm } from "./tpm.ts";
import { CommandWriter } from "./writer.ts";

/** PCRs a PC client TPM has (TCG PC Client Platform TPM Profile, section 4.6). */
export const PCR_COUNT = 24;
/** Most digests one TPM2_PCR_Read answers with: TPML_DIGEST holds eight (part 2, section 10.9.4). */
const MAX_READ = 8;

/** Registers of one bank. */
export interface PcrSelection {
  /** TPM_ALG_ID of the bank. */
  readonly bank: number;
  /** Indices, 0 to 23. */
  readonly registers: readonly number[];
}

/** TPML_PCR_SELECTION of one bank (part 2, section 10.9.7): three bytes of bit map, register 0 the lowest bit of the first. */
export function encodeSelection({ bank, registers }: PcrSelection): Uint8Array {
  const map = new Uint8Array(PCR_COUNT / 8);
  for (const register of registers) {
    if (!Number.isInteger(register) || register < 0 || register >= PCR_COUNT)
      throw new CmcpError("INTERNAL", `there is no PCR ${register}`);
    map[register >> 3] = (map[register >> 3] ?? 0) | (1 << (register & 7));
  }
  return new CommandWriter().u32(1).u16(bank).u8(map.length).bytes(map).done();
}

/**
 * Values of registers, by index (TPM2_PCR_Read, part 3, section 22.4). A TPM answers with as many as it likes, so
 * it is asked until all are there.
 */
export async function readPcrs(tpm: Tpm, { bank, registers }: PcrSelection): Promise<Map<number, Uint8Array>> {
  const length = DIGEST_BYTES.get(bank);
  if (length === undefined) throw new CmcpError("INTERNAL", "not an algorithm of a PCR bank");
  const values = new Map<number, Uint8Array>();
  const wanted = registers.toSorted((a, b) => a - b);
  for (let start = 0; start < wanted.length; start += MAX_READ) {
    const group = wanted.slice(start, start + MAX_READ);
    const digests = await readGroup(tpm, { bank, registers: group }, length);
    for (const [index, register] of group.entries()) {
      const value = digests[index];
      if (value === undefined)
        throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the TPM does not have the PCR bank that is needed");
      values.set(register, value);
    }
  }
  return values;
}

async function readGroup(tpm: Tpm, selection: PcrSelection, length: number): Promise<Uint8Array[]> {
  const asked = encodeSelection(selection);
  const { parameters } = await tpm.run({ name: "TPM2_PCR_Read", code: COMMAND.pcrRead, parameters: asked });
  return readResponse("TPM2_PCR_Read", () => {
    const reader = new ByteReader(parameters, "TPM2_PCR_Read", "big");
    reader.u32(); // pcrUpdateCounter
    const answered = reader.take(Math.min(asked.length, reader.remaining));
    // A bank that is not allocated comes back with an empty selection and no digests.
    if (!answered.every((byte, index) => byte === asked[index])) return [];
    const count = reader.u32();
    if (count > MAX_READ) throw new CmcpError("EVIDENCE_MALFORMED", "too many digests");
    const digests = Array.from({ length: count }, () => reader.take(reader.u16()).slice());
    reader.end();
    if (digests.some((digest) => digest.length !== length))
      throw new CmcpError("EVIDENCE_MALFORMED", "a digest of another length");
    return digests;
  });
}

/** Extends a register in the given banks (TPM2_PCR_Extend, part 3, section 22.2). @param digests by TPM_ALG_ID of the bank. */
export async function extendPcr(tpm: Tpm, register: number, digests: ReadonlyMap<number, Uint8Array>): Promise<void> {
  const parameters = new CommandWriter().u32(digests.size);
  for (const [bank, digest] of digests) {
    if (digest.length !== DIGEST_BYTES.get(bank))
      throw new CmcpError("INTERNAL", "a digest that does not fit its PCR bank");
    parameters.u16(bank).bytes(digest);
  }
  await tpm.run({
    name: "TPM2_PCR_Extend",
    code: COMMAND.pcrExtend,
    handles: [register],
    authorization: "password",
    parameters: parameters.done(),
  });
}
