import { ByteReader } from "@cmcp/boundary";
import { DIGEST_BYTES } from "../limits.ts";

/** A server as the table has it; its bounds are not for this side, which cannot hold anything to them. */
export interface TableServer {
  readonly tree: string;
  readonly digest: Uint8Array | null;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Bytes of a server's bounds: five u32. */
const BOUNDS_BYTES = 20;

function readText(from: ByteReader): string {
  return Buffer.from(from.take(from.u16())).toString("utf8");
}

function readTexts(from: ByteReader): string[] {
  return Array.from({ length: from.u16() }, () => readText(from));
}

function readServer(from: ByteReader): TableServer {
  const pinned = from.u8() === 1;
  const digest = Uint8Array.from(from.take(DIGEST_BYTES));
  from.skip(BOUNDS_BYTES);
  const tree = readText(from);
  const [program = "", ...args] = readTexts(from);
  const environment = Object.fromEntries(
    readTexts(from).map((variable) => [
      variable.slice(0, variable.indexOf("=")),
      variable.slice(variable.indexOf("=") + 1),
    ]),
  );
  return { tree, digest: pinned ? digest : null, program, args, environment };
}

/**
 * The servers of a table's body (SPEC.md, "Table"), which the enclave of this machine wrote.
 * @throws CmcpError `CONFIG_INVALID` for one that is not whole
 */
export function readTable(bytes: Uint8Array): TableServer[] {
  const from = new ByteReader(bytes, "the table of stdio servers", "big", "CONFIG_INVALID");
  return Array.from({ length: from.u16() }, () => readServer(from));
}
