import { createHash } from "node:crypto";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import {
  MAX_CHUNK_BYTES,
  MAX_NAME_BYTES,
  MAX_TREE_BYTES,
  MAX_TREE_DEPTH,
  MAX_TREE_ITEMS,
  MAX_TREE_PATH_BYTES,
} from "../limits.ts";
import { TREE_MAGIC, staysInside } from "./rules.ts";

const SLASH = 0x2f;

function refuse(why: string): never {
  throw new CmcpError("SPAWN_TREE_REFUSED", `the stdio server's archive ${why}`);
}

/** The components of an item's path. */
function componentsOf(path: Buffer): Buffer[] {
  const components: Buffer[] = [];
  for (let start = 0; start <= path.byteLength; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash === -1 ? path.byteLength : slash;
    const name = path.subarray(start, end);
    if (name.byteLength === 0 || name.byteLength > MAX_NAME_BYTES || name.includes(0)) refuse("has a bad name");
    if (name.equals(Buffer.from(".")) || name.equals(Buffer.from(".."))) refuse("has a bad name");
    components.push(name);
    start = end + 1;
  }
  return components;
}

/** Holds items to their order: a folder before what is in it, names in the byte order of their folder, each once. */
class Order {
  /** The components of the item before. */
  #last: readonly Buffer[] = [];
  /** How many of those are folders that may hold the next item. */
  #open = 0;

  next(components: readonly Buffer[], isFolder: boolean): void {
    const depth = components.length - 1;
    if (depth > this.#open) refuse("has an item without its folder");
    for (let index = 0; index < depth; index += 1)
      if (components[index]?.equals(this.#last[index] ?? Buffer.alloc(0)) !== true)
        refuse("has an item without its folder");
    const [name, before] = [components[depth], this.#last[depth]];
    if (name === undefined || (before !== undefined && before.compare(name) >= 0)) refuse("is not in order");
    this.#last = components;
    this.#open = isFolder ? depth + 1 : depth;
  }
}

/** The parser of one archive. It asks for the bytes that it wants next. */
class Archive {
  readonly #order = new Order();
  #items = 0;
  #bytes = 0;

  /** Yields a length of 1 to 65536 and is sent as many bytes; or fewer, where the archive ends before. */
  *read(): Generator<number, void, Buffer> {
    const magic = yield TREE_MAGIC.byteLength;
    if (!magic.equals(TREE_MAGIC)) return yield* this.#file(magic.byteLength);
    for (;;) {
      const type = yield 1;
      if (type.byteLength === 0) return;
      yield* this.#item(type.toString("latin1"));
    }
  }

  /** What does not begin like a folder's archive is one file. */
  *#file(start: number): Generator<number, void, Buffer> {
    for (let length = start; ; ) {
      const { byteLength } = yield MAX_CHUNK_BYTES;
      length += byteLength;
      if (length > MAX_TREE_BYTES) refuse("is too long");
      if (byteLength === 0) return;
    }
  }

  *#item(type: string): Generator<number, void, Buffer> {
    if (!["d", "f", "x", "l"].includes(type)) refuse("has an item of no known type");
    this.#items += 1;
    if (this.#items > MAX_TREE_ITEMS) refuse("has too many items");
    const components = componentsOf(yield* this.#text());
    const depth = components.length - 1;
    if (depth + (type === "d" ? 1 : 0) > MAX_TREE_DEPTH) refuse("is too deep");
    this.#order.next(components, type === "d");
    if (type === "l") {
      const target = yield* this.#text();
      if (target.includes(0) || !staysInside(target, depth)) refuse("has a link that leads out");
    } else if (type !== "d") yield* this.#content();
  }

  *#content(): Generator<number, void, Buffer> {
    const size = (yield* this.#whole(8)).readBigUInt64BE();
    if (size > BigInt(MAX_TREE_BYTES - this.#bytes)) refuse("has too many bytes");
    this.#bytes += Number(size);
    for (let left = Number(size); left > 0; ) left -= (yield* this.#whole(Math.min(left, MAX_CHUNK_BYTES))).byteLength;
  }

  /** A path or a target: u16 length and as many bytes, 1 to 1024. */
  *#text(): Generator<number, Buffer, Buffer> {
    const length = (yield* this.#whole(2)).readUInt16BE();
    if (length === 0 || length > MAX_TREE_PATH_BYTES) refuse("has a path of a bad length");
    return yield* this.#whole(length);
  }

  *#whole(length: number): Generator<number, Buffer, Buffer> {
    const bytes = yield length;
    if (bytes.byteLength < length) refuse("is cut");
    return bytes;
  }
}

/**
 * The digest of an archive that keeps the rules of SPEC.md, "Archive", as the spawner in C holds them. Nothing is
 * written.
 * @returns SHA-256, 32 bytes
 * @throws CmcpError `SPAWN_TREE_REFUSED`, after everything was read
 */
export async function archiveDigest(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  const hash = createHash("sha256");
  const parser = new Archive().read();
  const faults: CmcpError[] = [];
  let held = Buffer.alloc(0);
  /** Hands bytes to the parser; how many it wants next, `null` for no more. */
  const advance = (bytes?: Buffer): number | null => {
    try {
      const step = bytes === undefined ? parser.next() : parser.next(bytes);
      return step.done === true ? null : step.value;
    } catch (thrown) {
      faults.push(asCmcpError(thrown, "INTERNAL", "the archive could not be read"));
      return null;
    }
  };
  let wanted = advance();
  for await (const chunk of chunks) {
    hash.update(chunk);
    if (wanted !== null) held = Buffer.concat([held, chunk]);
    while (wanted !== null && held.byteLength >= wanted) {
      const bytes = held.subarray(0, wanted);
      held = held.subarray(wanted);
      wanted = advance(bytes);
    }
  }
  // The end: what is left is shorter than what was asked for.
  for (; wanted !== null; held = Buffer.alloc(0)) wanted = advance(held);
  for (const fault of faults) throw fault;
  return Uint8Array.from(hash.digest());
}
