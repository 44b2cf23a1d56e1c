import { keyDigest, keyedRequestDigest, type AuditEntry, type CallKey, type Receipt, type UsedKeys } from "@cmcp/audit";
import { CmcpError, type IdempotencyKey } from "@cmcp/boundary";
import type { Journal } from "./journal.ts";
import { prove, type ProvingJournal } from "./proven-record.ts";

/** What is known of a key. */
export type KeyStanding =
  /** No call of the log has it. */
  | { readonly kind: "unseen"; readonly mayStillRun: boolean }
  | { readonly kind: "running" }
  | EndedKey
  /** It may have been used, longer ago than keys are remembered. */
  | { readonly kind: "forgotten" };

/** A key whose call has its entry. */
export interface EndedKey {
  readonly kind: "ended";
  /** The key's digest. */
  readonly key: string;
  /** Where the log has the call's entry. */
  readonly index: number;
}

/** A key that its first request has taken. */
export interface TakenKey {
  readonly kind: "taken";
  readonly call: CallKey;
  /** Gives it back. A call that left a record keeps its key all the same. */
  readonly release: () => void;
}

/** How a call ended, as the log proves it. */
export interface EndedCall {
  readonly call_id: string;
  readonly session_id: string;
  readonly decision: AuditEntry["policy_decision"];
  /** How far it came, as `outcome` of the entry's detail says it; `null` where the entry says nothing of it. */
  readonly outcome: string | null;
  readonly error_code: string | null;
  /** `null` for a call whose instance died, and whose entry the next one wrote. */
  readonly receipt: Receipt | null;
}

/** What knowing the keys of calls needs. */
export interface KeyedCallPorts extends ProvingJournal {
  readonly journal: ProvingJournal["journal"] & Pick<Journal, "size" | "head">;
  /** Name of the log. */
  readonly origin: string;
  /** The keys that records name. */
  readonly used: Pick<UsedKeys, "find" | "forgottenOf">;
  /** Size of the log with this instance's first record. A key that names fewer records was made before. */
  readonly firstSize: number;
}

/**
 * The calls that have idempotency keys: those that run, and those that the log has. A key is taken once. It names no more records than
 * the log has when it is used, and no fewer than the log had when this instance began, or when the newest forgotten key was used. So
 * a key that is not remembered is either new or refused.
 */
export class KeyedCalls {
  readonly #ports: KeyedCallPorts;
  /** Commitment to the request of each call that runs, by its key's digest. Admission bounds their number. */
  readonly #running = new Map<string, string>();

  constructor(ports: KeyedCallPorts) {
    this.#ports = ports;
  }

  /**
   * Takes a key for a request, before anything else is awaited.
   * @returns `ended` if the same request has run under it
   * @throws CmcpError `IDEMPOTENCY_RUNNING`, `IDEMPOTENCY_CONFLICT` if it is another request's; `IDEMPOTENCY_KEY_REFUSED`
   */
  take(principal: string, key: IdempotencyKey, request: object): TakenKey | EndedKey {
    const { used, firstSize } = this.#ports;
    this.#assertReached(key);
    if (key.logSize < firstSize) throw refused("the idempotency key is from before this start of the gateway");
    const digest = this.#digest(principal, key);
    const commitment = keyedRequestDigest(key.text, request);
    const known = used.find(digest);
    const first = this.#running.get(digest) ?? known?.request;
    if (first !== undefined && first !== commitment)
      throw new CmcpError("IDEMPOTENCY_CONFLICT", "another request has this idempotency key");
    if (this.#running.has(digest) || known?.ended === false)
      throw new CmcpError("IDEMPOTENCY_RUNNING", "a call with this idempotency key runs already");
    if (known !== undefined) return { kind: "ended", key: digest, index: known.index };
    if (key.logSize < used.forgottenOf(principal))
      throw refused("the idempotency key is older than those that are remembered");
    this.#running.set(digest, commitment);
    return {
      kind: "taken",
      call: { key: digest, request: commitment },
      release: () => void this.#running.delete(digest),
    };
  }

  /** What is known of a principal's key. @throws CmcpError `IDEMPOTENCY_KEY_REFUSED` for one that names more records than the log has */
  standingOf(principal: string, key: IdempotencyKey): KeyStanding {
    const { used, firstSize } = this.#ports;
    this.#assertReached(key);
    const digest = this.#digest(principal, key);
    const known = used.find(digest);
    if (this.#running.has(digest) || known?.ended === false) return { kind: "running" };
    if (known !== undefined) return { kind: "ended", key: digest, index: known.index };
    if (key.logSize < used.forgottenOf(principal)) return { kind: "forgotten" };
    return { kind: "unseen", mayStillRun: key.logSize >= firstSize };
  }

  /**
   * How the call of a key ended; `null` while the host has not stored that.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `AUDIT_STORE_MISMATCH`
   */
  async ended({ key, index }: EndedKey): Promise<EndedCall | null> {
    const { journal } = this.#ports;
    if (index >= (journal.head?.size ?? 0)) return null;
    for await (const shown of journal.scan({ from: index, to: index + 1 })) {
      const proven = shown.index === index ? await prove(this.#ports, shown) : null;
      if (proven?.record.kind !== "entry" || proven.record.body.detail?.["idempotency_key"] !== key) break;
      const { record, path, note } = proven;
      const { receipt } = record;
      return endedCallOf(record.body, receipt === null ? null : { ...receipt, log: { index, path: [...path], note } });
    }
    throw new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not show the entry of a call");
  }

  #assertReached({ logSize }: IdempotencyKey): void {
    const { size } = this.#ports.journal;
    if (logSize > size) throw refused(`the idempotency key names ${logSize} records, and the log has ${size}`);
  }

  #digest(principal: string, { text }: IdempotencyKey): string {
    return keyDigest({ origin: this.#ports.origin, principal }, text);
  }
}

function endedCallOf(entry: AuditEntry, receipt: Receipt | null): EndedCall {
  const { outcome, error_code: code } = entry.detail ?? {};
  return {
    call_id: entry.call_id ?? "",
    session_id: entry.session_id,
    decision: entry.policy_decision,
    outcome: typeof outcome === "string" ? outcome : null,
    error_code: typeof code === "string" ? code : null,
    receipt,
  };
}

function refused(why: string): CmcpError {
  return new CmcpError("IDEMPOTENCY_KEY_REFUSED", `${why}: nothing was run`);
}
