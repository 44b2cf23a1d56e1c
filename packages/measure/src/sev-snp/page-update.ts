import { digestOf } from "../bytes/digest.ts";
import { PAGE_BYTES } from "../firmware/ranges.ts";

/** Page types of SNP_LAUNCH_UPDATE (AMD SEV-SNP firmware ABI 56860, table "PAGE_TYPE"). */
export const PAGE_TYPE = { normal: 1, vmsa: 2, zero: 3, unmeasured: 4, secrets: 5, cpuid: 6 } as const;

/** One page that the launch adds, as the processor measures it. */
export interface PageUpdate {
  readonly type: (typeof PAGE_TYPE)[keyof typeof PAGE_TYPE];
  /** Guest physical address. */
  readonly gpa: number;
  /** SHA-384 of the page, 48 bytes; zeros for types whose content is not measured. */
  readonly contents: Uint8Array;
}

const DIGEST = 48;
/** Bytes of PAGE_INFO (56860, table "Layout of the PAGE_INFO structure"). */
const PAGE_INFO = 0x70;
const NO_CONTENTS = new Uint8Array(DIGEST);
/** KVM launches VMSAs at this address: all bits but the page offset and those above 47. */
const VMSA_GPA = 0xffff_ffff_f000;

/** The launch digest before the first page. */
export const EMPTY_LAUNCH_DIGEST: Uint8Array = new Uint8Array(DIGEST);

/** The launch digest after one more page: SHA-384 of PAGE_INFO. Permissions and IMI are zero in launches by KVM. */
export function extendLaunchDigest(digest: Uint8Array, update: PageUpdate): Uint8Array {
  const info = new Uint8Array(PAGE_INFO);
  info.set(digest, 0);
  info.set(update.contents, DIGEST);
  const view = new DataView(info.buffer);
  view.setUint16(0x60, PAGE_INFO, true);
  view.setUint8(0x62, update.type);
  view.setBigUint64(0x68, BigInt(update.gpa), true);
  return digestOf("sha384", info);
}

/** Pages with measured content, in ascending order from `gpa`. `bytes` are whole pages. */
export function* contentPages(gpa: number, bytes: Uint8Array): Generator<PageUpdate> {
  for (let offset = 0; offset < bytes.length; offset += PAGE_BYTES) {
    yield {
      type: PAGE_TYPE.normal,
      gpa: gpa + offset,
      contents: digestOf("sha384", bytes.subarray(offset, offset + PAGE_BYTES)),
    };
  }
}

/** Pages of which only type and address are measured. */
export function* plainPages(type: PageUpdate["type"], gpa: number, size: number): Generator<PageUpdate> {
  for (let offset = 0; offset < size; offset += PAGE_BYTES) yield { type, gpa: gpa + offset, contents: NO_CONTENTS };
}

/** The save areas of the virtual processors, in their order. */
export function* vmsaPages(pages: Iterable<Uint8Array>): Generator<PageUpdate> {
  const known = new Map<Uint8Array, Uint8Array>();
  for (const page of pages) {
    const contents = known.get(page) ?? digestOf("sha384", page);
    known.set(page, contents);
    yield { type: PAGE_TYPE.vmsa, gpa: VMSA_GPA, contents };
  }
}
