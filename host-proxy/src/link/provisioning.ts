import type { EnclaveLink } from "./enclave-link.ts";

/** The host's own provision message, which every enclave gets: always the latest, and none where statements bring tokens. */
export class Provisioning {
  readonly #link: EnclaveLink;
  #latest: Uint8Array | null;

  constructor(link: EnclaveLink, first: Uint8Array | null) {
    this.#link = link;
    this.#latest = first;
  }

  /** Gives an enclave that is starting the latest message, and any that comes meanwhile. */
  async sendLatest(): Promise<void> {
    for (let sent: Uint8Array | null = null; this.#latest !== null && sent !== this.#latest; ) {
      sent = this.#latest;
      await this.#link.provision(sent);
    }
  }

  /** Replaces the message, also for enclaves to come. One that the running enclave refuses is taken back. */
  async replace(message: Uint8Array): Promise<void> {
    const before = this.#latest;
    this.#latest = message;
    // An enclave that is only starting gets the latest message from sendLatest.
    if (this.#link.state !== "up") return;
    try {
      await this.#link.provision(message);
    } catch (thrown) {
      // One that is gone is replaced by another, which may well take it.
      if (this.#link.state === "up" && this.#latest === message) this.#latest = before;
      throw thrown;
    }
  }
}
