/** Records for tests of log stores, and what is expected of their hash tiles. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Batch, IndexedRecord, LogStore, ScanFilter, StoredRecord } from "../store/log-store.ts";

/** A record whose header says its body. */
export const record = (body: string | Uint8Array, session = "s", kind = "entry"): StoredRecord => ({
  session,
  kind,
  header: Buffer.from(`{"of":${JSON.stringify(typeof body === "string" ? body : body.length)}}`),
  body: typeof body === "string" ? Buffer.from(body) : body,
});

/** A batch with the note of its size. */
export const batch = (first: number, ...records: StoredRecord[]): Batch => ({
  first,
  note: `log.example/1\n${first + records.length}\n`,
  records,
});

/** What a filter asks for. */
export async function read(store: LogStore, filter: ScanFilter = {}): Promise<readonly IndexedRecord[]> {
  const records: IndexedRecord[] = [];
  for await (const piece of store.scan(filter)) records.push(...piece.map((one) => plain(one)));
  return records;
}

/** A record with bytes of its own. */
export const plain = ({ index, ...one }: IndexedRecord): IndexedRecord => ({ index, ...copied(one) });
const copied = ({ session, kind, header, body }: StoredRecord): StoredRecord => ({
  session,
  kind,
  header: Buffer.from(header),
  body: Buffer.from(body),
});
/** The bodies of what a filter asks for, as text. */
export const bodies = async (store: LogStore, filter: ScanFilter = {}): Promise<string[]> =>
  (await read(store, filter)).map(({ body }) => Buffer.from(body).toString());

/** MTH of RFC 9162, section 2.1.1, by its recursive definition. */
export function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return sha256(Buffer.of(0), only);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash("sha256").update(Buffer.concat(parts)).digest();
}

/** The hashes that the tile has, by their definition: each the root over 256^level leaves. */
function expectedTile(headers: readonly Uint8Array[], level: number, index: number): Buffer {
  const span = 256 ** level;
  const roots: Buffer[] = [];
  for (let at = index * 256; at < (index + 1) * 256 && (at + 1) * span <= headers.length; at += 1)
    roots.push(treeHash(headers.slice(at * span, (at + 1) * span)));
  return Buffer.concat(roots);
}

/** Compares tiles with those of the tree over the headers. */
export async function checkTiles(
  store: LogStore,
  headers: readonly Uint8Array[],
  tiles: readonly (readonly [level: number, index: number])[],
): Promise<void> {
  for (const [level, index] of tiles) {
    const tile = Buffer.from(await store.tile(level, index));
    assert.ok(tile.equals(expectedTile(headers, level, index)), `tile ${level}/${index} of ${headers.length}`);
  }
}
