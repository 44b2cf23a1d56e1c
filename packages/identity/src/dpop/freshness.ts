import { randomBytes } from "node:crypto";
import { SharedSlots, toBase64Url } from "@cmcp/boundary";
import { MAX_PROOFS, NONCE_PERIOD_MS } from "../limits.ts";
import { proofFault } from "./fault.ts";

/** A nonce, and the proofs that were used under it. */
interface Generation {
  readonly nonce: string;
  readonly since: number;
  readonly used: Set<string>;
  readonly slots: SharedSlots;
}

/**
 * Says whether a proof is new (RFC 9449 sections 8 and 11.1). A proof's `iat` is its sender's word against a clock that
 * is the host's. A nonce of this instance shows that a proof is no older than the nonce. Proofs are remembered beside
 * their nonce and forgotten with it, so memory and time have the same bound.
 */
export class ProofFreshness {
  readonly #now: () => number;
  readonly #maxProofs: number;
  #current: Generation;
  #previous: Generation | null = null;

  /** @param now monotonic milliseconds */
  constructor(now: () => number, maxProofs: number = MAX_PROOFS) {
    this.#now = now;
    this.#maxProofs = maxProofs;
    this.#current = this.#generation();
  }

  /** The nonce to use from now on. */
  get nonce(): string {
    this.#turn();
    return this.#current.nonce;
  }

  /**
   * Notes the use of a proof.
   * @param holder the principal whose share of the remembered proofs this one takes
   * @param id what tells the proof from every other
   * @throws CmcpError `UNAUTHENTICATED` for a nonce that does not count or a proof that was used; `OVERLOADED`
   */
  use(nonce: string, holder: string, id: string): void {
    this.#turn();
    const generation = [this.#current, this.#previous].find((one) => one?.nonce === nonce);
    if (generation == null) throw proofFault("nonce");
    if (generation.used.has(id)) throw proofFault("replayed");
    generation.slots.take(holder, "proofs of one nonce");
    generation.used.add(id);
  }

  #turn(): void {
    const age = this.#now() - this.#current.since;
    if (age < NONCE_PERIOD_MS) return;
    this.#previous = age < 2 * NONCE_PERIOD_MS ? this.#current : null;
    this.#current = this.#generation();
  }

  #generation(): Generation {
    return {
      nonce: toBase64Url(randomBytes(16)),
      since: this.#now(),
      used: new Set(),
      slots: new SharedSlots(this.#maxProofs),
    };
  }
}
