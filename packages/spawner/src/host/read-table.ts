import { CmcpError } from "@cmcp/boundary";
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

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes);
  }

  take(length: number): Buffer {
    if (this.#bytes.byteLength - this.#at < length)
      throw new CmcpError("CONFIG_INVALID", "the table of stdio servers is not whole");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  count(): number {
    return this.take(2).readUInt16BE();
  }

  text(): string {
    return this.take(this.count()).toString("utf8");
  }

  texts(): string[] {
    return Array.from({ length: this.count() }, () => this.text());
  }
}

function readServer(from: Reader): TableServer {
  const pinned = from.take(1)[0] === 1;
  const digest = Uint8Array.from(from.take(DIGEST_BYTES));
  from.take(BOUNDS_BYTES);
  const tree = from.text();
  const [program = "", ...args] = from.texts();
  const environment = Object.fromEntries(
    from
      .texts()
      .map((variable) => [variable.slice(0, variable.indexOf("=")), variable.slice(variable.indexOf("=") + 1)]),
  );
  return { tree, digest: pinned ? digest : null, program, args, environment };
}

/**
 * The servers of a table's body (SPEC.md, "Table"), which the enclave of this machine wrote.
 * @throws CmcpError `CONFIG_INVALID` for one that is not whole
 */
export function readTable(bytes: Uint8Array): TableServer[] {
  const from = new Reader(bytes);
  return Array.from({ length: from.count() }, () => readServer(from));
}
