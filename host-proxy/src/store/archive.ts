import { hash } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import type { SegmentStore } from "./compaction.ts";
import type { LogStore } from "./log-store.ts";
import { encodeSegment, malformedStore, segmentRecords, type Segment } from "./segment.ts";
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

/** A log store whose old bodies are moved to files, and whose bodies can be erased. */
export interface ArchivingStore extends LogStore {
  /**
   * Moves the bodies of compacted segments before an index to files of the archive. Headers and hash tiles stay.
   * @returns the index before which all bodies are in files
   * @throws AUDIT_STORE_UNAVAILABLE without an archive, or when it cannot be written
   */
  archive(before: number): Promise<number>;
  /** The index before which all bodies are in files of the archive. @throws AUDIT_STORE_UNAVAILABLE */
  archivedBefore(): Promise<number>;
  /**
   * Erases the body of a record from the store and its archive. Headers and hash tiles stay, so all that is proven stays
   * proven. What an engine keeps of old rows, and copies, are the operator's to erase.
   * @param index of a record of the log
   * @returns whether the record had a body
   * @throws AUDIT_STORE_UNAVAILABLE when the store or its archive cannot be read or written; AUDIT_STORE_DAMAGED for no
   *   record there, or what no append stored
   */
  erase(index: number): Promise<boolean>;
}

/** End of the name of a file that takes the place of another, once the store has its digest. */
const NEXT = ".next";

/** Files of compacted segments, each `<first>-<count>.zst`: records as in a segment, which `zstd -d` gives. */
export class Archive {
  readonly #folder: string | null;

  /** @param folder created (mode 0700) when it is first written to; `null` for none */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /**
   * The compressed records of an archived segment.
   * @throws AUDIT_STORE_UNAVAILABLE naming the file when it cannot be read; AUDIT_STORE_DAMAGED when it is another
   */
  async read(segment: EncodedSegment): Promise<Uint8Array> {
    const name = fileName(segment);
    const bytes = await this.#read(name);
    if (bytes !== null && isOf(segment, bytes)) return bytes;
    const next = await this.#read(`${name}${NEXT}`);
    if (next !== null && isOf(segment, next)) return next;
    if (bytes === null) throw unavailable(`the file ${name} of the archive cannot be read`);
    throw malformedStore(`another digest of ${name}`);
  }

  /**
   * Writes a file beside that of an archived segment, which takes its place with {@link promote}.
   * @param compressed the records of `segment`
   * @returns what the store has of it
   * @throws AUDIT_STORE_UNAVAILABLE when it cannot be written
   */
  async prepare(of: EncodedSegment, compressed: Uint8Array, segment: Segment): Promise<Uint8Array> {
    await this.#write(`${fileName(of)}${NEXT}`, compressed);
    return archivedRow(compressed, segment);
  }

  /** Puts the file that {@link prepare} wrote in its place, if it is the one that the store has. @throws AUDIT_STORE_UNAVAILABLE */
  async promote(segment: EncodedSegment): Promise<void> {
    const name = fileName(segment);
    const next = await this.#read(`${name}${NEXT}`);
    if (next === null || !isOf(segment, next)) return;
    await this.#rename(`${name}${NEXT}`, name);
  }

  async #read(name: string): Promise<Uint8Array | null> {
    try {
      await using handle = await open(join(this.#required(), name), "r");
      const { size } = await handle.stat();
      if (size > COMPRESSED_BYTES) throw malformedStore(`a file ${name} of ${size} bytes in its archive`);
      return (await handle.read(Buffer.alloc(size))).buffer;
    } catch (thrown) {
      if (thrown instanceof CmcpError) throw thrown;
      if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return null;
      throw unavailable(`the file ${name} of the archive cannot be read`, thrown);
    }
  }

  /** See {@link ArchivingStore.archive}. */
  async fill(store: SegmentStore, before: number): Promise<number> {
    this.#required();
    const size = await store.size();
    let index = await firstKept(store, size);
    while (index < Math.min(before, size)) {
      const segment = await store.holding(index);
      if (segment.form !== FORM_ZSTD || segment.first + segment.count > before) break;
      await this.#write(fileName(segment), segment.bytes);
      const { first, count, bytes } = await decodeSegment(segment, null);
      const row = await archivedRow(segment.bytes, { first, count, bytes });
      // Another process that archives has gone on from here.
      if (!(await store.replace([segment], { ...segment, form: FORM_ARCHIVED, bytes: row }))) break;
      index = first + count;
    }
    return index;
  }

  /** The file is on the disk before the store lets go of the bodies. */
  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const folder = this.#required();
    const partial = `${name}.partial`;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(join(folder, partial), "w", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (thrown) {
      throw unavailable(`the file ${name} of the archive cannot be written`, thrown);
    }
    await this.#rename(partial, name);
  }

  async #rename(from: string, to: string): Promise<void> {
    const folder = this.#required();
    try {
      await rename(join(folder, from), join(folder, to));
      const entry = await open(folder, "r");
      try {
        await entry.sync();
      } finally {
        await entry.close();
      }
    } catch (thrown) {
      throw unavailable(`the file ${to} of the archive cannot be written`, thrown);
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

/** Whether the bytes are those of the file whose digest the store has. */
function isOf(segment: EncodedSegment, bytes: Uint8Array): boolean {
  return hash("sha256", bytes, "buffer").equals(segment.bytes.subarray(0, DIGEST_BYTES));
}

/** What the store has of an archived segment: the digest of its file, and the records without bodies. */
async function archivedRow(compressed: Uint8Array, segment: Segment): Promise<Uint8Array> {
  const headers = encodeSegment([...segmentRecords(segment, { bodies: false })]);
  return Buffer.concat([hash("sha256", compressed, "buffer"), await compressSegment(headers)]);
}

/** Fifteen digits hold every index, so that names sort as the log does. */
function fileName({ first, count }: EncodedSegment): string {
  return `${String(first).padStart(15, "0")}-${count}.zst`;
}

function unavailable(why: string, cause?: unknown): CmcpError {
  return new CmcpError("AUDIT_STORE_UNAVAILABLE", `the audit store failed: ${why}`, { cause });
}
