import type { Receipt } from "@cmcp/audit/schema";
import { bytesEqual, canonicalBytes, CmcpError, type JsonValue } from "@cmcp/boundary";
import type { Checkpoint } from "@cmcp/log/format";
import { verifyReceipt, type VerifiedReceipt, type VerifierCrypto } from "@cmcp/verify";

/** Places in the log, heads and sessions that are remembered. A receipt may be overtaken by so many others. */
const MAX_REMEMBERED = 4_096;

/** Where the log stood when a request was sent. What is recorded of the request stands behind that. */
export interface LogFloor {
  /** Index of the newest receipt; -1 before the first. */
  readonly index: number;
  /** Records under the newest head. */
  readonly size: number;
}

const NO_FLOOR: LogFloor = { index: -1, size: 0 };

/** What receipts are held to. */
export interface ReceiptPorts {
  readonly crypto: VerifierCrypto;
  /** Of the verified instance, base64url of 32 bytes. */
  readonly signingKey: string;
  /** Called with every receipt that the instance signed, before anything else is asked of it. */
  readonly onReceipt: (receipt: Receipt) => void;
  /** Called with each head of the log. */
  readonly onHead: (head: Checkpoint) => void;
}

/** What is known of a log from the receipts of one connection: a client is its first witness. */
export class Receipts {
  readonly #ports: ReceiptPorts;
  #floor = NO_FLOOR;
  #origin: string | null = null;
  readonly #indexes = new Set<number>();
  /** Root hashes by size. */
  readonly #heads = new Map<number, Uint8Array>();
  /** By session, the receipt that was taken last. */
  readonly #sessions = new Map<string, Receipt>();

  constructor(ports: ReceiptPorts) {
    this.#ports = ports;
  }

  /** Where the log stands as far as receipts tell. */
  get floor(): LogFloor {
    return this.#floor;
  }

  /**
   * Takes the receipt of one sealed call.
   *
   * @param floor where the log stood when the call was sent; `null` if the answer may be that of an earlier call
   * @throws CmcpError `RECEIPT_MALFORMED`; `RECEIPT_INVALID` for one that is not of this instance, this channel or this call;
   *   `LOG_MISMATCH` for one that shows another log than earlier ones
   */
  async take(value: JsonValue, floor: LogFloor | null): Promise<Receipt> {
    const { crypto, signingKey, onReceipt } = this.#ports;
    const verified = await verifyReceipt(canonicalBytes(value), signingKey, crypto);
    const { receipt } = verified;
    onReceipt(receipt);
    if (receipt.channel !== "sealed") throw new CmcpError("RECEIPT_INVALID", "the receipt is of a plain call");
    this.#checkHead(verified, floor ?? NO_FLOOR);
    if (floor !== null || receipt.log.index > this.#floor.index) this.#checkPlace(receipt, floor ?? NO_FLOOR);
    return receipt;
  }

  #checkHead({ head }: VerifiedReceipt, floor: LogFloor): void {
    const { origin, size, root } = head;
    if (origin !== (this.#origin ?? origin))
      throw new CmcpError("LOG_MISMATCH", `the log was ${this.#origin}, and is ${origin} in this receipt`);
    if (size < floor.size)
      throw new CmcpError("LOG_MISMATCH", `the log had ${floor.size} records, and has ${size} in a later receipt`);
    const known = this.#heads.get(size);
    if (known !== undefined && !bytesEqual(known, root))
      throw new CmcpError("LOG_MISMATCH", `the instance signed two logs of ${size} records`);
    this.#origin = origin;
    remember(this.#heads, size, root);
    this.#floor = { ...this.#floor, size: Math.max(this.#floor.size, size) };
    this.#ports.onHead(head);
  }

  #checkPlace(receipt: Receipt, floor: LogFloor): void {
    const { session_id: session, sequence_number: number, log } = receipt;
    const [oldest = -1] = this.#indexes.size < MAX_REMEMBERED ? [] : this.#indexes;
    if (log.index <= floor.index || log.index <= oldest || this.#indexes.has(log.index))
      throw new CmcpError("RECEIPT_INVALID", `the receipt is of record ${log.index}, which is of an earlier call`);
    const last = this.#sessions.get(session);
    if (last !== undefined && log.index > last.log.index !== number > last.sequence_number)
      throw new CmcpError("RECEIPT_INVALID", "the session's numbers and the log's do not have one order");
    if (this.#indexes.size >= MAX_REMEMBERED) this.#indexes.delete(oldest);
    this.#indexes.add(log.index);
    remember(this.#sessions, session, receipt);
    this.#floor = { ...this.#floor, index: Math.max(this.#floor.index, log.index) };
  }
}

/** Sets a member as the newest, and forgets the oldest of too many. */
function remember<K, V>(members: Map<K, V>, key: K, value: V): void {
  members.delete(key);
  members.set(key, value);
  if (members.size <= MAX_REMEMBERED) return;
  for (const [oldest] of members) {
    members.delete(oldest);
    return;
  }
}
