import { guidBytes } from "../firmware/guid.ts";

/** GUIDs of the firmware table's entries. */
export const GUID = {
  footer: "96b582de-1fb2-45f7-baea-a366c55a082d",
  resetBlock: "00f771de-1a7e-4fcb-890e-68c77e2fb44e",
  hashTable: "7255371f-3a3b-4b04-927b-1da6efa8d454",
  sevMetadata: "dc886566-984a-4798-a75e-5585a7bf67cc",
  tdxMetadata: "e47a6535-984a-4798-865e-4685a7bf8ec2",
  svsmInfo: "a789a612-0597-4c4b-a49f-cbb1fe9d1ddd",
} as const;

export interface TdvfRow {
  readonly offset?: number;
  readonly size?: number;
  readonly gpa: number;
  readonly memory: number;
  readonly type: number;
  readonly attributes?: number;
}

/** What a firmware made for a test is to hold; what is left out is absent. */
export interface FirmwareRecipe {
  /** Bytes; 8192 by default. */
  readonly size?: number;
  readonly reset?: number;
  /** Guest physical address of the kernel hash table. */
  readonly hashTable?: number;
  /** `[gpa, size, type]` in the order of the table. */
  readonly sev?: readonly (readonly [number, number, number])[];
  readonly tdvf?: readonly TdvfRow[];
  readonly svsmOffset?: number;
  /** Bytes at the start of the image, such as a variable store. */
  readonly head?: Uint8Array;
  /** Table entries beside those the fields above make. */
  readonly entries?: readonly (readonly [guid: string, data: Uint8Array])[];
}

/** Where the metadata of the recipe lies, from the image's end. */
export const SEV_METADATA_FROM_END = 0x400;
export const TDVF_METADATA_FROM_END = 0x800;

function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32LE(value, index * 4);
  return buffer;
}

function tableEntry(guid: string, data: Uint8Array): Buffer {
  const trailer = Buffer.alloc(2);
  trailer.writeUInt16LE(data.length + 18);
  return Buffer.concat([data, trailer, guidBytes(guid)]);
}

function tdvfRow({ offset = 0, size = 0, gpa, memory, type, attributes = 0 }: TdvfRow): Buffer {
  const row = Buffer.alloc(32);
  row.set(words(offset, size), 0);
  row.writeBigUInt64LE(BigInt(gpa), 8);
  row.writeBigUInt64LE(BigInt(memory), 16);
  row.set(words(type, attributes), 24);
  return row;
}

/** Makes the bytes of a firmware image: a pattern with a reset vector, a GUIDed table and the metadata asked for. */
export function buildFirmware(recipe: FirmwareRecipe): Buffer {
  const { size = 8192, reset, hashTable, sev, tdvf, svsmOffset, head, entries = [] } = recipe;
  const image = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) image[at] = (at * 7 + (at >> 8)) & 0xff;
  if (head !== undefined) image.set(head, 0);
  const rows: Buffer[] = entries.map(([guid, data]) => tableEntry(guid, data));
  if (reset !== undefined) rows.push(tableEntry(GUID.resetBlock, words(reset)));
  if (hashTable !== undefined) rows.push(tableEntry(GUID.hashTable, words(hashTable, 0x400)));
  if (svsmOffset !== undefined) rows.push(tableEntry(GUID.svsmInfo, words(svsmOffset)));
  if (sev !== undefined) {
    rows.push(tableEntry(GUID.sevMetadata, words(SEV_METADATA_FROM_END)));
    image.set(
      Buffer.concat([
        Buffer.from("ASEV"),
        words(16 + sev.length * 12, 1, sev.length),
        ...sev.map((row) => words(...row)),
      ]),
      size - SEV_METADATA_FROM_END,
    );
  }
  if (tdvf !== undefined) {
    rows.push(tableEntry(GUID.tdxMetadata, words(TDVF_METADATA_FROM_END)));
    image.set(
      Buffer.concat([Buffer.from("TDVF"), words(16 + tdvf.length * 32, 1, tdvf.length), ...tdvf.map(tdvfRow)]),
      size - TDVF_METADATA_FROM_END,
    );
  }
  const table = Buffer.concat(rows);
  const footer = Buffer.alloc(2);
  footer.writeUInt16LE(table.length + 18);
  image.set(Buffer.concat([table, footer, guidBytes(GUID.footer)]), size - 32 - 18 - table.length);
  return image;
}

/** Sections as OVMF for SEV has them: memory, secrets, CPUID, call area, hashes, out of the order of addresses. */
export const OVMF_SEV_SECTIONS = [
  [0x80_0000, 0x9000, 1],
  [0x80_a000, 0x3000, 1],
  [0x80_d000, 0x1000, 2],
  [0x80_e000, 0x1000, 3],
  [0x80_f000, 0x1000, 4],
  [0x81_1000, 0x1000, 1],
  [0x81_0000, 0x1000, 16],
] as const;
/** A firmware with them. */
export const SEV_FIRMWARE: FirmwareRecipe = { reset: 0x80_b004, hashTable: 0x81_0c00, sev: OVMF_SEV_SECTIONS };

/** The start of a variable store in which nothing is stored. */
export function emptyVariableStore(bytes: number): Uint8Array {
  const store = Buffer.alloc(bytes, 0xff);
  store.writeUInt16LE(0x48, 0x30);
  store.set(guidBytes("aaf32c78-947b-439a-a180-2e144ec37792"), 0x48);
  return store;
}

/** Sections as TDVF has them: code, variable store, memory, hand-off blocks. */
export const TDVF_SECTIONS: readonly TdvfRow[] = [
  { offset: 0x1000, size: 0x1000, gpa: 0xffff_f000, memory: 0x1000, type: 0, attributes: 1 },
  { offset: 0, size: 0x1000, gpa: 0xffff_e000, memory: 0x1000, type: 1 },
  { gpa: 0x81_0000, memory: 0x1_0000, type: 3 },
  { gpa: 0x80_b000, memory: 0x2000, type: 3 },
  { gpa: 0x80_9000, memory: 0x2000, type: 2 },
  { gpa: 0x80_0000, memory: 0x6000, type: 3 },
];
/** A firmware with them. */
export const TDX_FIRMWARE: FirmwareRecipe = { tdvf: TDVF_SECTIONS, head: emptyVariableStore(0x100) };
