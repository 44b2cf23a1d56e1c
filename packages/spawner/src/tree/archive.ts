import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { CmcpError } from "@cmcp/boundary";
import { MAX_CHUNK_BYTES, MAX_TREE_BYTES, MAX_TREE_DEPTH, MAX_TREE_ITEMS, MAX_TREE_PATH_BYTES } from "../limits.ts";
import { TREE_MAGIC, staysInside } from "./rules.ts";

/** Set-user-ID, set-group-ID and sticky bits. */
const SPECIAL_BITS = 0o7000;
const OWNER_EXECUTES = 0o100;
const SEPARATOR = Buffer.from("/");

function refuse(why: string): never {
  throw new CmcpError("SPAWN_TREE_REFUSED", `the stdio server's folder ${why}`);
}

function unsigned(value: number, bytes: 2 | 8): Buffer {
  const out = Buffer.alloc(bytes);
  if (bytes === 2) out.writeUInt16BE(value);
  else out.writeBigUInt64BE(BigInt(value));
  return out;
}

function header(type: "d" | "f" | "x" | "l", path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), unsigned(path.byteLength, 2), path]);
}

/** One walk over a tree; paths are bytes, as file names need not be text. */
class Walk {
  #items = 0;
  #bytes = 0;

  *folder(location: Buffer, below: Buffer, depth: number): Generator<Buffer> {
    const names = readdirSync(location, { encoding: "buffer" });
    this.#items += names.length;
    if (this.#items > MAX_TREE_ITEMS) refuse(`has more than ${MAX_TREE_ITEMS} items`);
    for (const name of names.toSorted((left, right) => left.compare(right))) {
      const path = below.byteLength === 0 ? name : Buffer.concat([below, SEPARATOR, name]);
      if (path.byteLength > MAX_TREE_PATH_BYTES) refuse(`has a path of more than ${MAX_TREE_PATH_BYTES} bytes`);
      yield* this.#item(Buffer.concat([location, SEPARATOR, name]), path, depth);
    }
  }

  *#item(location: Buffer, path: Buffer, depth: number): Generator<Buffer> {
    const facts = lstatSync(location);
    if (facts.isDirectory()) {
      if (depth + 1 > MAX_TREE_DEPTH) refuse(`is deeper than ${MAX_TREE_DEPTH}`);
      yield header("d", path);
      yield* this.folder(location, path, depth + 1);
    } else if (facts.isSymbolicLink()) {
      const target = readlinkSync(location, { encoding: "buffer" });
      if (target.byteLength > MAX_TREE_PATH_BYTES || !staysInside(target, depth))
        refuse("has a symbolic link that leads outside it");
      yield Buffer.concat([header("l", path), unsigned(target.byteLength, 2), target]);
    } else if (facts.isFile()) {
      yield* this.file(location, path);
    } else {
      refuse("contains something other than files, folders and symbolic links");
    }
  }

  /** `path` is null for a tree that is one file: its archive is its bytes alone. */
  *file(location: Buffer, path: Buffer | null): Generator<Buffer> {
    const from = openSync(location, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = fstatSync(from);
      if (!facts.isFile() || (facts.mode & SPECIAL_BITS) !== 0) refuse("holds a file with set-id or sticky bits");
      this.#bytes += facts.size;
      if (this.#bytes > MAX_TREE_BYTES) refuse(`has more than ${MAX_TREE_BYTES} bytes`);
      if (path !== null) {
        yield header((facts.mode & OWNER_EXECUTES) === 0 ? "f" : "x", path);
        yield unsigned(facts.size, 8);
      }
      yield* content(from, facts.size);
    } finally {
      closeSync(from);
    }
  }
}

/** Exactly `size` bytes and then the end: a file that changes while it is read is not one. */
function* content(from: number, size: number): Generator<Buffer> {
  let left = size;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(left + 1, MAX_CHUNK_BYTES));
    const bytesRead = readSync(from, chunk, 0, chunk.byteLength, null);
    if (bytesRead > left || (bytesRead === 0 && left > 0)) refuse("changed while it was read");
    if (bytesRead === 0) return;
    left -= bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

function* oneFile(location: Buffer): Generator<Buffer> {
  let head = Buffer.alloc(0);
  for (const chunk of new Walk().file(location, null)) {
    // Bytes that begin like a folder's archive stand for a folder.
    if (head.byteLength < TREE_MAGIC.byteLength) head = Buffer.concat([head, chunk]);
    if (head.subarray(0, TREE_MAGIC.byteLength).equals(TREE_MAGIC)) refuse("is a file that begins like an archive");
    yield chunk;
  }
}

function* parts(path: string): Generator<Buffer> {
  try {
    if (statSync(path).isFile()) {
      yield* oneFile(realpathSync(path, { encoding: "buffer" }));
    } else {
      yield TREE_MAGIC;
      yield* new Walk().folder(Buffer.from(path), Buffer.alloc(0), 0);
    }
  } catch (thrown) {
    if (thrown instanceof CmcpError) throw thrown;
    throw new CmcpError("SPAWN_TREE_REFUSED", "the stdio server's folder is missing or cannot be read", {
      cause: thrown,
    });
  }
}

/**
 * The archive of a stdio server's files (SPEC.md, "Archive"), in pieces of at most 64 KiB: of a folder with everything
 * below it, or of one file. What is read is what was there at that moment; only the digest of the whole says what it is.
 * @throws CmcpError `SPAWN_TREE_REFUSED` for special files, links that lead out, anything over a bound, what cannot be
 * read
 */
export function* treeArchive(path: string): Generator<Uint8Array> {
  let [waiting, length]: [Buffer[], number] = [[], 0];
  for (const part of parts(path)) {
    if (length + part.byteLength > MAX_CHUNK_BYTES) {
      yield Buffer.concat(waiting);
      [waiting, length] = [[], 0];
    }
    waiting.push(part);
    length += part.byteLength;
  }
  if (length > 0) yield Buffer.concat(waiting);
}
