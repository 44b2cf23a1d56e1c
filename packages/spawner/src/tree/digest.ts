import { createHash, type Hash } from "node:crypto";
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
import { MAX_TREE_BYTES, MAX_TREE_DEPTH, MAX_TREE_ITEMS, MAX_TREE_PATH_BYTES } from "../limits.ts";

/** First bytes of what is hashed for a folder. */
const DOMAIN = "cmcp-tree-v1\n";
const CHUNK_BYTES = 1 << 16;
/** Set-user-ID, set-group-ID and sticky bits. */
const SPECIAL_BITS = 0o7000;
const OWNER_EXECUTES = 0o100;
const SEPARATOR = Buffer.from("/");

function refuse(why: string): never {
  throw new CmcpError("SPAWN_TREE_REFUSED", `the stdio server's folder ${why}`);
}

function unsigned(value: number, bytes: 2 | 8): Uint8Array {
  const out = Buffer.alloc(bytes);
  if (bytes === 2) out.writeUInt16BE(value);
  else out.writeBigUInt64BE(BigInt(value));
  return out;
}

/** Whether a link `depth` folders below the root can only lead to below the root, read as text. */
function staysInside(target: string, depth: number): boolean {
  if (target === "" || target.startsWith("/")) return false;
  let at = depth;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    at += part === ".." ? -1 : 1;
    if (at < 0) return false;
  }
  return true;
}

/** One walk over a tree; paths are bytes, as file names need not be text. */
class Walk {
  readonly #hash: Hash;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #items = 0;
  #bytes = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  folder(place: Buffer, below: Buffer, depth: number): void {
    const names = readdirSync(place, { encoding: "buffer" });
    this.#items += names.length;
    if (this.#items > MAX_TREE_ITEMS) refuse(`has more than ${MAX_TREE_ITEMS} items`);
    for (const name of names.toSorted((left, right) => left.compare(right))) {
      const path = below.byteLength === 0 ? name : Buffer.concat([below, SEPARATOR, name]);
      if (path.byteLength > MAX_TREE_PATH_BYTES) refuse(`has a path of more than ${MAX_TREE_PATH_BYTES} bytes`);
      this.#item(Buffer.concat([place, SEPARATOR, name]), path, depth);
    }
  }

  #item(place: Buffer, path: Buffer, depth: number): void {
    const facts = lstatSync(place);
    if (facts.isDirectory()) {
      if (depth + 1 > MAX_TREE_DEPTH) refuse(`is deeper than ${MAX_TREE_DEPTH}`);
      this.#header("d", path);
      this.folder(place, path, depth + 1);
    } else if (facts.isSymbolicLink()) {
      const target = readlinkSync(place, { encoding: "buffer" });
      if (target.byteLength > MAX_TREE_PATH_BYTES || !staysInside(target.toString("latin1"), depth))
        refuse("has a symbolic link that leads outside it");
      this.#header("l", path);
      this.#hash.update(unsigned(target.byteLength, 2)).update(target);
    } else if (facts.isFile()) {
      this.file(place, path);
    } else {
      refuse("contains something other than files, folders and symbolic links");
    }
  }

  /** `path` is null for a tree that is one file: its digest is that of its bytes alone. */
  file(place: Buffer, path: Buffer | null): void {
    const from = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = fstatSync(from);
      if (!facts.isFile() || (facts.mode & SPECIAL_BITS) !== 0) refuse("holds a file with set-id or sticky bits");
      this.#bytes += facts.size;
      if (this.#bytes > MAX_TREE_BYTES) refuse(`has more than ${MAX_TREE_BYTES} bytes`);
      if (path !== null) {
        this.#header((facts.mode & OWNER_EXECUTES) === 0 ? "f" : "x", path);
        this.#hash.update(unsigned(facts.size, 8));
      }
      this.#content(from, facts.size);
    } finally {
      closeSync(from);
    }
  }

  #content(from: number, size: number): void {
    let left = size;
    for (;;) {
      const bytesRead = readSync(from, this.#chunk, 0, CHUNK_BYTES, null);
      if (bytesRead > left || (bytesRead === 0 && left > 0)) refuse("changed while it was read");
      if (bytesRead === 0) return;
      left -= bytesRead;
      this.#hash.update(this.#chunk.subarray(0, bytesRead));
    }
  }

  #header(type: "d" | "f" | "x" | "l", path: Buffer): void {
    this.#hash.update(type).update(unsigned(path.byteLength, 2)).update(path);
  }
}

/**
 * The digest of a stdio server's files (SPEC.md, "Tree digest"), 32 bytes: of a folder with everything below it, or of
 * one file's bytes. What the spawner computes for the same files. Reads everything before it returns.
 * @throws CmcpError `SPAWN_TREE_REFUSED` for special files, links that lead out, anything over a bound, what cannot be
 * read
 */
export function treeDigest(path: string): Uint8Array {
  const hash = createHash("sha256");
  const walk = new Walk(hash);
  try {
    if (statSync(path).isFile()) {
      walk.file(realpathSync(path, { encoding: "buffer" }), null);
    } else {
      hash.update(DOMAIN);
      walk.folder(Buffer.from(path), Buffer.alloc(0), 0);
    }
  } catch (thrown) {
    if (thrown instanceof CmcpError) throw thrown;
    throw new CmcpError("SPAWN_TREE_REFUSED", "the stdio server's folder is missing or cannot be read", {
      cause: thrown,
    });
  }
  return Uint8Array.from(hash.digest());
}
