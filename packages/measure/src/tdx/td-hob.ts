import { digestOf } from "../bytes/digest.ts";
import { invalid } from "../bytes/input.ts";
import { openFirmware } from "../firmware/firmware.ts";
import { FOUR_GIB, PAGE_BYTES } from "../firmware/ranges.ts";
import { tdvfSections, type TdvfSection } from "../firmware/tdvf-metadata.ts";
import { q35LowMemory } from "./q35.ts";

/** The largest memory of a guest taken, in bytes: 16 TiB. */
export const MAX_MEMORY = 2 ** 44;

/** Hand-off block types and sizes (UEFI PI specification, volume 3). */
const PHIT = { type: 1, bytes: 56, version: 9, endOfList: 48 } as const;
const RESOURCE = { type: 3, bytes: 48, attributes: 7 } as const;
const END_BYTES = 8;
/** Memory that was accepted at launch, and memory the guest must still accept. */
const SYSTEM_MEMORY = 0;
const UNACCEPTED_MEMORY = 7;

function resource(type: number, start: number, end: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(RESOURCE.bytes));
  view.setUint16(0, RESOURCE.type, true);
  view.setUint16(2, RESOURCE.bytes, true);
  view.setUint32(24, type, true);
  view.setUint32(28, RESOURCE.attributes, true);
  view.setBigUint64(32, BigInt(start), true);
  view.setBigUint64(40, BigInt(end - start), true);
  return new Uint8Array(view.buffer);
}

/** Below 4 GiB what is accepted alternates with what is not; above lies only memory to accept. */
function resources(accepted: readonly TdvfSection[], low: number, memory: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let end = 0;
  for (const { gpa, size } of accepted.toSorted((a, b) => a.gpa - b.gpa)) {
    if (gpa > end) found.push(resource(UNACCEPTED_MEMORY, end, gpa));
    found.push(resource(SYSTEM_MEMORY, gpa, gpa + size));
    end = gpa + size;
  }
  if (end > low) throw invalid("TDVF metadata", "a section for temporary memory lies outside of the guest's memory");
  if (end < low) found.push(resource(UNACCEPTED_MEMORY, end, low));
  if (memory > low) found.push(resource(UNACCEPTED_MEMORY, FOUR_GIB, FOUR_GIB + memory - low));
  return found;
}

/**
 * SHA-384 of the hand-off blocks that QEMU's q35 machine writes for a guest with `memory` bytes: the first event of RTMR0.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function tdHobDigest(firmware: Uint8Array, memory: number): Uint8Array {
  const wholePages = Number.isSafeInteger(memory) && memory > 0 && memory <= MAX_MEMORY && memory % PAGE_BYTES === 0;
  if (!wholePages) throw invalid("memory", "must be whole pages, at most 16 TiB");
  const sections = tdvfSections(openFirmware(firmware));
  const [hob, second] = sections.filter(({ type }) => type === "TD_HOB");
  if (hob === undefined || second !== undefined)
    throw invalid("TDVF metadata", "does not have exactly one TD_HOB section");
  const accepted = sections.filter(({ type, size }) => size > 0 && (type === "TD_HOB" || type === "TempMem"));
  const blocks = resources(accepted, q35LowMemory(memory), memory);
  const bytes = PHIT.bytes + blocks.length * RESOURCE.bytes;
  if (bytes + END_BYTES > hob.size) throw invalid("TDVF metadata", "its TD_HOB section is too small for the blocks");
  const header = new DataView(new ArrayBuffer(PHIT.bytes));
  header.setUint16(0, PHIT.type, true);
  header.setUint16(2, PHIT.bytes, true);
  header.setUint32(8, PHIT.version, true);
  header.setBigUint64(PHIT.endOfList, BigInt(hob.gpa + bytes + END_BYTES), true);
  return digestOf("sha384", new Uint8Array(header.buffer), ...blocks);
}
