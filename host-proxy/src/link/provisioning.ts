import type { EnclaveLink } from "./enclave-link.ts";

/** The provisioning statement that every enclave of a host gets: always the latest. */
export class Provisioning {
  readonly #link: EnclaveLink;
  #latest: Uint8Array;

  constructor(link: EnclaveLink, first: Uint8Array) {
    this.#link = link;
    this.#latest = first;
  }

  /** Gives an enclave that is starting the latest statement, and any that comes meanwhile. */
  async sendLatest(): Promise<void> {
    for (let sent: Uint8Array | undefined; sent !== this.#latest; ) {
      sent = this.#latest;
      await this.#link.provision(sent);
    }
  }

  /** Replaces the statement, also for enclaves to come. One that the running enclave refuses is taken back. */
  async replace(statement: Uint8Array): Promise<void> {
    const before = this.#latest;
    this.#latest = statement;
    // An enclave that is only starting gets the latest statement from sendLatest.
    if (this.#link.state !== "up") return;
    try {
      await this.#link.provision(statement);
    } catch (thrown) {
      // One that is gone is replaced by another, which may well take it.
      if (this.#link.state === "up" && this.#latest === statement) this.#latest = before;
      throw thrown;
    }
  }
}
