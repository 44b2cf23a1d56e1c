import { createHash } from "node:crypto";
import { openFirmware } from "../firmware/firmware.ts";
import { PAGE_BYTES } from "../firmware/ranges.ts";
import { tdvfSections, type TdvfSection } from "../firmware/tdvf-metadata.ts";

/**
 * How a host puts a firmware's pages into a trust domain. `single-pass` adds and extends page by page (mainline KVM, QEMU
 * from 9 on); `two-pass` adds all pages of a section before it extends them (QEMU 8 forks). The host chooses.
 */
export const PAGE_ORDERS = ["single-pass", "two-pass"] as const;
export type PageOrder = (typeof PAGE_ORDERS)[number];

/** Bytes of one record of MRTD, and of the content one MR.EXTEND covers (Intel TDX Module ABI, TDH.MEM.PAGE.ADD, TDH.MR.EXTEND). */
const RECORD_BYTES = 128;
const CHUNK_BYTES = 256;

function record(name: string): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.write(name, "latin1");
  return bytes;
}

/** Where a record has its guest physical address. */
const RECORD_GPA = 16;
const CHUNKS = PAGE_BYTES / CHUNK_BYTES;
const EXTENSION_BYTES = RECORD_BYTES + CHUNK_BYTES;

/** Adds records to MRTD. Buffers are kept: a firmware has tens of thousands of records. */
class MrtdHash {
  readonly hash = createHash("sha384");
  readonly #addition = record("MEM.PAGE.ADD");
  readonly #extensions = Buffer.concat(
    Array.from({ length: CHUNKS }, () => Buffer.concat([record("MR.EXTEND"), Buffer.alloc(CHUNK_BYTES)])),
  );

  addPage(section: TdvfSection, offset: number): void {
    this.#addition.writeBigUInt64LE(BigInt(section.gpa + offset), RECORD_GPA);
    this.hash.update(this.#addition);
  }

  /** Extends the page's content; memory beyond the section's data is zero. */
  extendPage(section: TdvfSection, offset: number): void {
    for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
      const [at, from] = [chunk * EXTENSION_BYTES, offset + chunk * CHUNK_BYTES];
      const content = this.#extensions.subarray(at + RECORD_BYTES, at + EXTENSION_BYTES);
      this.#extensions.writeBigUInt64LE(BigInt(section.gpa + from), at + RECORD_GPA);
      content.fill(0);
      content.set(section.data.subarray(from, from + CHUNK_BYTES));
    }
    this.hash.update(this.#extensions);
  }
}

function measureSection(records: MrtdHash, section: TdvfSection, order: PageOrder): void {
  if (section.addedLater) return;
  const offsets = Array.from({ length: section.size / PAGE_BYTES }, (_, page) => page * PAGE_BYTES);
  for (const offset of offsets) {
    records.addPage(section, offset);
    if (section.extended && order === "single-pass") records.extendPage(section, offset);
  }
  if (section.extended && order === "two-pass") for (const offset of offsets) records.extendPage(section, offset);
}

/**
 * MRTD of a firmware, lowercase hex of 48 bytes. It depends on nothing but the firmware file and the host's page order;
 * its variable store is added and not extended, so Secure Boot keys are not in it.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function mrtd(firmware: Uint8Array, order: PageOrder): string {
  const records = new MrtdHash();
  for (const section of tdvfSections(openFirmware(firmware))) measureSection(records, section, order);
  return records.hash.digest("hex");
}
