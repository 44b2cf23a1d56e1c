import { hash } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import type { SegmentStore } from "./compaction.ts";
import type { LogStore } from "./log-store.ts";
import { encodeSegment, malformedStore, segmentRecords } from "./segment.ts";
import {
  COMPRESSED_BYTES,
  compressSegment,
  decodeSegment,
  DIGEST_BYTES,
  FORM_ARCHIVED,
  FORM_ZSTD,
  isArchived,
  type EncodedSegment,
} from "./segment-codec.ts";

/** Snapshots that lie behind before a body leaves the store: the newest may turn out not to be usable. */
const SNAPSHOTS_BEHIND = 2;

/** A log store whose old bodies are moved to files. */
export interface ArchivingStore extends LogStore {
  /**
   * Moves the bodies of compacted segments before an index to files of the archive. Headers and hash tiles stay.
   * @returns the index before which all bodies are in files
   * @throws AUDIT_STORE_UNAVAILABLE without an archive, or when it cannot be written
   */
  archive(before: number): Promise<number>;
  /** The index before which all bodies are in files of the archive. @throws AUDIT_STORE_UNAVAILABLE */
  archivedBefore(): Promise<number>;
}

/**
 * The index up to which bodies may be archived: two snapshots lie behind it, and so does the claim of every session
 * that has an entry before it.
 * @param before an index before which the auditors' term has passed
 */
export async function archivableBefore(store: LogStore, before: number): Promise<number> {
  const snapshots: number[] = [];
  for await (const piece of store.scan({ kind: "snapshot", bodies: false }))
    snapshots.push(...piece.map(({ index }) => index));
  const limit = Math.min(before, snapshots.at(-SNAPSHOTS_BEHIND) ?? 0);
  const claimed = new Map<string, boolean>();
  for await (const piece of store.scan({ to: limit, kind: "entry", bodies: false }))
    for (const { index, session } of piece) {
      const known = claimed.get(session) ?? (await hasClaim(store, session));
      if (!known) return index;
      claimed.set(session, known);
    }
  return limit;
}

async function hasClaim(store: LogStore, session: string): Promise<boolean> {
  for await (const piece of store.scan({ session, kind: "claim", bodies: false })) if (piece.length > 0) return true;
  return false;
}

/** Files of compacted segments, each `<first>-<count>.zst`: records as in a segment, which `zstd -d` gives. */
export class Archive {
  readonly #folder: string | null;

  /** @param folder created (mode 0700) when it is first written to; `null` for none */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /**
   * The compressed records of an archived segment.
   * @throws AUDIT_STORE_UNAVAILABLE naming the file when it cannot be read; AUDIT_STORE_MISMATCH when it is another
   */
  async read(segment: EncodedSegment): Promise<Uint8Array> {
    const file = fileName(segment);
    let bytes: Uint8Array;
    try {
      await using handle = await open(join(this.#required(), file), "r");
      const { size } = await handle.stat();
      if (size > COMPRESSED_BYTES) throw malformedStore(`a file ${file} of ${size} bytes in its archive`);
      bytes = (await handle.read(Buffer.alloc(size))).buffer;
    } catch (thrown) {
      if (thrown instanceof CmcpError) throw thrown;
      throw unavailable(`the file ${file} of the archive cannot be read`, thrown);
    }
    const digest = hash("sha256", bytes, "buffer");
    if (!digest.equals(segment.bytes.subarray(0, DIGEST_BYTES))) throw malformedStore(`another digest of ${file}`);
    return bytes;
  }

  /** See {@link ArchivingStore.archive}. */
  async fill(store: SegmentStore, before: number): Promise<number> {
    this.#required();
    const size = await store.size();
    let index = await firstKept(store, size);
    while (index < Math.min(before, size)) {
      const segment = await store.holding(index);
      if (segment.form !== FORM_ZSTD || segment.first + segment.count > before) break;
      await this.#write(segment);
      const { first, count, bytes } = await decodeSegment(segment, null);
      const headers = encodeSegment([...segmentRecords({ first, count, bytes }, { bodies: false })]);
      const digest = hash("sha256", segment.bytes, "buffer");
      const row = Buffer.concat([digest, await compressSegment(headers)]);
      // Another process that archives has gone on from here.
      if (!(await store.replace([segment], { ...segment, form: FORM_ARCHIVED, bytes: row }))) break;
      index = first + count;
    }
    return index;
  }

  /** The file is on the disk before the store lets go of the bodies. */
  async #write(segment: EncodedSegment): Promise<void> {
    const [folder, name] = [this.#required(), fileName(segment)];
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const partial = join(folder, `${name}.partial`);
      const file = await open(partial, "w", 0o600);
      try {
        await file.writeFile(segment.bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, join(folder, name));
      const entry = await open(folder, "r");
      try {
        await entry.sync();
      } finally {
        await entry.close();
      }
    } catch (thrown) {
      throw unavailable(`the file ${name} of the archive cannot be written`, thrown);
    }
  }

  #required(): string {
    if (this.#folder === null) throw unavailable("old bodies are in files, and no archive is configured");
    return this.#folder;
  }
}

/** Index of the first record whose body is in the store. By bisection, as all that is archived comes first. */
export async function firstKept(store: SegmentStore, size: number): Promise<number> {
  let [low, high] = [0, size];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isArchived({ form: await store.formAt(middle) })) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Fifteen digits hold every index, so that names sort as the log does. */
function fileName({ first, count }: EncodedSegment): string {
  return `${String(first).padStart(15, "0")}-${count}.zst`;
}

function unavailable(why: string, cause?: unknown): CmcpError {
  return new CmcpError("AUDIT_STORE_UNAVAILABLE", `the audit store failed: ${why}`, { cause });
}
