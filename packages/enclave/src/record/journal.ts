import { setTimeout as sleep } from "node:timers/promises";
import { CmcpError, untrusted, examine, type Untrusted } from "@cmcp/boundary";
import {
  MAX_RECORD_BYTES,
  MAX_SIGNED_TOGETHER,
  signTogether,
  unsignedRecord,
  type JournalStatement,
  type Receipt,
  type ReceiptBody,
  type Sign,
  type Statement,
  type EncodedStatement,
} from "@cmcp/audit";
import { MAX_APPENDED_RECORDS, encodeRecords, type ExchangePool, type Opening } from "@cmcp/wire";
import { hostError } from "../instance/host-error.ts";

/** Which records to read. Every member that is present must match. */
export interface ScanFilter {
  readonly instance?: string;
  readonly session?: string;
  readonly kind?: JournalStatement["kind"];
}

/** Longest time that a caller waits for the host's acknowledgement, in milliseconds. */
const ACKNOWLEDGE_MS = 5_000;
/** Most records without an acknowledgement. Above this limit no record is accepted. */
const MAX_PENDING = 1_024;
/** Most records of one append. Each may have a receipt, which is signed with them. */
const MAX_TOGETHER = Math.min(MAX_APPENDED_RECORDS, MAX_SIGNED_TOGETHER / 2);
/** Most bytes of one append. A larger record goes alone. */
const MAX_TOGETHER_BYTES = 1_048_576;
const RETRY_FIRST_MS = 25;
const RETRY_MAX_MS = 2_000;

/** A record that the host has not acknowledged. */
interface Waiting extends Statement {
  readonly seq: number;
  readonly session: string;
  readonly kind: JournalStatement["kind"];
  readonly stored: (receipt: Receipt | null) => void;
}

/**
 * The enclave's journal, which the host stores. Every record is retried until the host acknowledges it or the process ends, because the
 * hash chain in memory already contains it. Callers wait for a limited time.
 */
export class Journal {
  readonly #pool: ExchangePool;
  readonly #instance: string;
  readonly #sign: Sign;
  readonly #waiting: Waiting[] = [];
  #sending = false;
  #sequence = 0;
  #pending = 0;
  #late = 0;

  constructor(pool: ExchangePool, instance: string, sign: Sign) {
    this.#pool = pool;
    this.#instance = instance;
    this.#sign = sign;
  }

  /** Whether the host is late: it has not acknowledged a record within 5 s. Later records wait behind that one. */
  get behind(): boolean {
    return this.#late > 0;
  }

  /** @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while the host is {@link behind}. */
  assertCaughtUp(): void {
    if (this.behind) throw unacknowledged();
  }

  /** @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while the host is {@link behind}, or too many records wait. */
  assertWritable(): void {
    if (this.behind || this.#pending >= MAX_PENDING) throw unacknowledged();
  }

  /**
   * Stores a record. Resolves when the host acknowledges it, with the signed receipt.
   * @param receipt the receipt to sign with the record
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE` after 5 s; the record is still retried
   */
  async append(
    session: string,
    statement: JournalStatement | EncodedStatement,
    receipt: ReceiptBody | null = null,
  ): Promise<Receipt | null> {
    const record = unsignedRecord(statement, this.#instance, this.#sequence);
    const { promise, resolve, reject } = Promise.withResolvers<Receipt | null>();
    let overdue = false;
    const timer = setTimeout(() => {
      overdue = true;
      this.#late += 1;
      reject(new CmcpError("AUDIT_STORE_UNAVAILABLE", "the host did not acknowledge an audit record in time"));
    }, ACKNOWLEDGE_MS).unref();
    const stored = (signed: Receipt | null): void => {
      clearTimeout(timer);
      this.#pending -= 1;
      if (overdue) this.#late -= 1;
      resolve(signed);
    };
    this.#waiting.push({ seq: this.#sequence, session, kind: statement.kind, record, receipt, stored });
    this.#sequence += 1;
    this.#pending += 1;
    if (!this.#sending) void this.#send();
    return await promise;
  }

  /**
   * Stores all waiting records, one append at a time. Records that arrive during an append go together in the next one, under one
   * signature.
   */
  async #send(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      const signed = signTogether(batch, this.#sign);
      await this.#store(
        batch,
        signed.map(({ record }) => record),
      );
      for (const [index, { stored }] of batch.entries()) stored(signed[index]?.receipt ?? null);
    }
    this.#sending = false;
  }

  #take(): Waiting[] {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ record }, index) => {
      bytes += record.length;
      return index >= MAX_TOGETHER || (index > 0 && bytes > MAX_TOGETHER_BYTES);
    });
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count);
  }

  async #store(batch: readonly Waiting[], records: readonly Uint8Array[]): Promise<void> {
    const opening: Opening = { t: "append", instance: this.#instance, seq: batch[0]?.seq ?? 0 };
    const body = encodeRecords(
      batch.map(({ session, kind }, index) => {
        const bytes = records[index];
        if (bytes === undefined) throw new CmcpError("INTERNAL", "a record was not signed");
        return { session, kind, bytes };
      }),
    );
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      try {
        const exchange = await this.#pool.open(opening);
        await exchange.write(body);
        await exchange.end();
        await exchange.head;
        for await (const _ of exchange.body); // Reading the empty body returns the stream to the pool.
        return;
      } catch {
        // The records must not be lost, so every error is retried. `append` limits how long callers wait.
        await sleep(wait, undefined, { ref: false });
      }
    }
  }

  /** Reads records in the order in which they were stored. They are untrusted until they are verified. */
  async *scan(filter: ScanFilter): AsyncGenerator<Untrusted<Uint8Array>> {
    const exchange = await this.#pool.open({ t: "scan", ...filter }).catch(rethrow);
    try {
      await exchange.end().catch(rethrow);
      await exchange.head.catch(rethrow);
      yield* records(answered(exchange.body));
    } finally {
      exchange.abort();
    }
  }
}

const HOST_ERRORS = { AUDIT_STORE_UNAVAILABLE: "the host's audit store did not answer" };

function rethrow(thrown: unknown): never {
  throw hostError(thrown, HOST_ERRORS, "AUDIT_STORE_UNAVAILABLE");
}

/** The chunks of the host's reply, with its errors mapped. */
async function* answered<T>(body: AsyncIterable<T>): AsyncGenerator<T> {
  const chunks = body[Symbol.asyncIterator]();
  for (let step = await chunks.next().catch(rethrow); step.done !== true; step = await chunks.next().catch(rethrow))
    yield step.value;
}

function unacknowledged(): CmcpError {
  return new CmcpError("AUDIT_STORE_UNAVAILABLE", "the host has not acknowledged earlier audit records");
}

/** Splits the host's reply into records. Each is a big-endian u32 length and that many bytes. */
async function* records(body: AsyncIterable<Untrusted<Uint8Array>>): AsyncGenerator<Untrusted<Uint8Array>> {
  let held = Buffer.alloc(0);
  for await (const chunk of body) {
    held = held.length === 0 ? Buffer.from(examine(chunk)) : Buffer.concat([held, examine(chunk)]);
    let at = 0;
    while (held.length - at >= 4) {
      const length = held.readUInt32BE(at);
      if (length > MAX_RECORD_BYTES)
        throw new CmcpError(
          "AUDIT_STORE_MISMATCH",
          `the host returned a record of more than ${MAX_RECORD_BYTES} bytes`,
        );
      if (held.length - at - 4 < length) break;
      yield untrusted(new Uint8Array(held.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    held = held.subarray(at);
  }
  if (held.length > 0) throw new CmcpError("AUDIT_STORE_MISMATCH", "the host returned a truncated record");
}
