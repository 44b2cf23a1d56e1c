import { ByteReader, CmcpError } from "@cmcp/boundary";
import { DIGEST_BYTES, MAX_SECRETS, MAX_SECRET_BYTES, MAX_SECRET_NAME } from "../limits.ts";
import { SECRET_NAME } from "../protocol/encode.ts";

/** A server as the table has it; its bounds are not for this side, which cannot hold anything to them. */
export interface TableServer {
  readonly tree: string;
  readonly digest: Uint8Array | null;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it has a way out. */
  readonly hasEgress: boolean;
}

/** Bytes of a server's bounds: five u32. */
const BOUNDS_BYTES = 20;

function readText(from: ByteReader): string {
  return Buffer.from(from.take(from.u16())).toString("utf8");
}

function readTexts(from: ByteReader): string[] {
  return Array.from({ length: from.u16() }, () => readText(from));
}

/** `NAME=value`, cut at its first `=`. */
function variable(written: string): [string, string] {
  const at = written.indexOf("=");
  return [written.slice(0, at), written.slice(at + 1)];
}

function readServer(from: ByteReader): TableServer {
  const pinned = from.u8() === 1;
  const digest = Uint8Array.from(from.take(DIGEST_BYTES));
  from.skip(BOUNDS_BYTES);
  const hasEgress = from.u8() === 1;
  const tree = readText(from);
  const [program = "", ...args] = readTexts(from);
  const environment = Object.fromEntries(readTexts(from).map(variable));
  return { tree, digest: pinned ? digest : null, program, args, environment, hasEgress };
}

/**
 * The servers of a table's body (SPEC.md, "Table"), which the enclave of this machine wrote.
 * @throws CmcpError `CONFIG_INVALID` for one that is not whole
 */
export function readTable(bytes: Uint8Array): TableServer[] {
  const from = new ByteReader(bytes, "the table of stdio servers", "big", "CONFIG_INVALID");
  return Array.from({ length: from.u16() }, () => readServer(from));
}

/**
 * The secrets of a start (SPEC.md, "Connections").
 * @throws CmcpError `CONFIG_INVALID` for what is not whole, or out of bounds; the message has no value of one
 */
export function readSecrets(bytes: Uint8Array): Readonly<Record<string, string>> {
  const from = new ByteReader(bytes, "the secrets of a stdio server", "big", "CONFIG_INVALID");
  const refuse = (why: string): CmcpError => new CmcpError("CONFIG_INVALID", `the secrets of a stdio server: ${why}`);
  const count = from.u16();
  if (count > MAX_SECRETS) throw refuse(`there are more than ${MAX_SECRETS}`);
  const secrets = new Map<string, string>();
  for (let left = count; left > 0; left -= 1) {
    const [name, value] = variable(readText(from));
    if (!SECRET_NAME.test(name) || name.length > MAX_SECRET_NAME) throw refuse("a variable has no such name");
    if (Buffer.byteLength(value) > MAX_SECRET_BYTES || value.includes("\0")) throw refuse("a value is out of bounds");
    secrets.set(name, value);
  }
  from.end();
  return Object.fromEntries(secrets);
}
