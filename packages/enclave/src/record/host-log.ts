import { CmcpError, examine, parseJson, untrusted, type Untrusted } from "@cmcp/boundary";
import { MAX_RECORD_BYTES, type RecordKind } from "@cmcp/audit";
import { HASH_BYTES } from "@cmcp/log";
import { decodeScanned, type ExchangePool, type Opening, type ShownRecord } from "@cmcp/wire";
import * as z from "zod";
import { hostError } from "../instance/host-error.ts";

/** Which records to read. Every member that is present must match. */
export interface ScanFilter {
  /** Least index. */
  readonly from?: number;
  /** The index that ends the scan, itself left out. */
  readonly to?: number;
  readonly session?: string;
  readonly kind?: RecordKind;
}

/** What the host says of the log. */
export interface ShownHead {
  readonly size: number;
  readonly note: string;
  /** Index of the newest snapshot. */
  readonly snapshot: number | null;
}

/** Most bytes of a head, a range or a path. */
const MAX_ANSWER_BYTES = 64 * 1024;

const headSchema = z.strictObject({
  size: z.int().nonnegative(),
  note: z.string().max(4096),
  snapshot: z.int().nonnegative().nullable(),
});

/** The log as the host shows it. Nothing of it is verified here. */
export class HostLog {
  protected readonly pool: ExchangePool;

  constructor(pool: ExchangePool) {
    this.pool = pool;
  }

  /**
   * Reads records in the order of the log. They are untrusted until they are verified.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `AUDIT_STORE_MISMATCH`
   */
  async *scan(filter: ScanFilter): AsyncGenerator<ShownRecord> {
    const exchange = await this.pool.open({ t: "scan", ...filter }).catch(rethrow);
    try {
      await exchange.end().catch(rethrow);
      await exchange.head.catch(rethrow);
      yield* wellFormed(decodeScanned(readAnswer(exchange.body), MAX_RECORD_BYTES));
    } finally {
      exchange.abort();
    }
  }

  /** What the host says of the log; `null` for an empty one. @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `AUDIT_STORE_MISMATCH` */
  async readHead(): Promise<ShownHead | null> {
    const head = readShownHead(await this.#answer({ t: "head" }));
    return head.size === 0 ? null : head;
  }

  /**
   * The hashes that the host has for the compact range of the first records.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `AUDIT_STORE_MISMATCH`
   */
  async readRange(size: number): Promise<Uint8Array[]> {
    return hashesIn(await this.#answer({ t: "range", size }));
  }

  /** The inclusion path that the host has for a record. @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `AUDIT_STORE_MISMATCH` */
  async readPath(index: number, size: number): Promise<Uint8Array[]> {
    return hashesIn(await this.#answer({ t: "prove", index, size }));
  }

  async #answer(opening: Opening): Promise<Uint8Array> {
    const exchange = await this.pool.open(opening).catch(rethrow);
    try {
      await exchange.end().catch(rethrow);
      await exchange.head.catch(rethrow);
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of readAnswer(exchange.body)) {
        const bytes = examine(chunk);
        length += bytes.length;
        if (length > MAX_ANSWER_BYTES) throw mismatch("the host's answer is too large");
        chunks.push(bytes);
      }
      return new Uint8Array(Buffer.concat(chunks));
    } finally {
      exchange.abort();
    }
  }
}

const HOST_ERRORS = {
  AUDIT_STORE_UNAVAILABLE: "the host's audit store did not answer",
  AUDIT_STORE_DAMAGED: "the host's audit store is damaged",
};

function rethrow(thrown: unknown): never {
  throw hostError(thrown, HOST_ERRORS, "AUDIT_STORE_UNAVAILABLE");
}

/** The chunks of the host's reply, with its errors mapped. */
async function* readAnswer(body: AsyncIterable<Untrusted<Uint8Array>>): AsyncGenerator<Untrusted<Uint8Array>> {
  const chunks = body[Symbol.asyncIterator]();
  for (let step = await chunks.next().catch(rethrow); step.done !== true; step = await chunks.next().catch(rethrow))
    yield step.value;
}

/** Records of a scan; one that breaks off or is malformed is a mismatch. */
async function* wellFormed(records: AsyncGenerator<ShownRecord>): AsyncGenerator<ShownRecord> {
  try {
    yield* records;
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code.startsWith("WIRE_"))
      throw new CmcpError("AUDIT_STORE_MISMATCH", "the host returned a record that is cut or malformed", {
        cause: thrown,
      });
    throw thrown;
  }
}

function readShownHead(bytes: Uint8Array): ShownHead {
  try {
    const limits = { maxBytes: MAX_ANSWER_BYTES, maxDepth: 2, maxItems: 8 };
    return headSchema.parse(parseJson(untrusted(bytes), limits));
  } catch (thrown) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "the host's answer is not a head of a log", { cause: thrown });
  }
}

function hashesIn(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % HASH_BYTES !== 0) throw mismatch("the host's answer is not a list of hashes");
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, index) =>
    bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}

function mismatch(why: string): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", why);
}
