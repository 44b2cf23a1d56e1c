import { CmcpError } from "@cmcp/boundary";
import type { Archive } from "./archive.ts";
import type { SegmentStore } from "./compaction.ts";
import { encodeSegment, segmentRecords } from "./segment.ts";
import { compressSegment, decodeSegment, FORM_PLAIN, isArchived, type EncodedSegment } from "./segment-codec.ts";

/** Times that a segment is read again because another process replaced it meanwhile. */
const ATTEMPTS = 10;
const NO_BODY = new Uint8Array(0);

/** Does `ArchivingStore.erase` over the segments of an engine. */
export async function eraseBody(store: SegmentStore, archive: Archive, index: number): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const segment = await store.holding(index);
    const { first, count, bytes } = await decodeSegment(segment, async (one) => archive.read(one));
    const records = [...segmentRecords({ first, count, bytes })];
    const there = (records[index - first]?.body.length ?? 0) > 0;
    if (!there) {
      // Whoever erased it may have been ended before the archive let go of the old file.
      if (isArchived(segment)) await archive.promote(segment);
      return false;
    }
    const erased = encodeSegment(records.map((one) => (one.index === index ? { ...one, body: NO_BODY } : one)));
    if (await put(store, archive, segment, erased)) return true;
  }
  throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store failed: other processes write the record's segment");
}

/** Puts other bytes in the place of a segment's, in its form. @returns `false` where another process replaced it */
async function put(
  store: SegmentStore,
  archive: Archive,
  segment: EncodedSegment,
  bytes: Uint8Array,
): Promise<boolean> {
  const { form, first, count } = segment;
  const { length } = bytes;
  if (form === FORM_PLAIN) return store.replace([segment], { ...segment, length, bytes });
  const compressed = await compressSegment(bytes);
  if (!isArchived(segment)) return store.replace([segment], { ...segment, length, bytes: compressed });
  const row = await archive.prepare(segment, compressed, { first, count, bytes });
  const by = { ...segment, length, bytes: row };
  if (!(await store.replace([segment], by))) return false;
  await archive.promote(by);
  return true;
}
