import { asCmcpError } from "@cmcp/boundary";
import type { EnclaveLink } from "../link/enclave-link.ts";
import type { Log } from "../log.ts";

/** Where another policy bundle may appear. All of it is bytes: whether they are a policy, and one to put in force, only the enclave says. */
export interface PolicySource {
  /** The message for the bundle that is in the launch document. */
  readonly first: Uint8Array;
  /** Milliseconds between looks. */
  readonly everyMs: number;
  /** The message for what is there now. */
  read(): Promise<Uint8Array>;
}

/** Hands the enclave every bundle that appears at the source, once. */
export class PolicyWatcher {
  readonly #source: PolicySource;
  readonly #link: Pick<EnclaveLink, "state" | "reload">;
  readonly #log: Log;
  /** What the enclave was last given, accepted or not. */
  #given: Uint8Array;
  #accepted: Uint8Array | null = null;
  #unreadable = false;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: PolicySource, link: Pick<EnclaveLink, "state" | "reload">, log: Log) {
    this.#source = source;
    this.#link = link;
    this.#log = log;
    this.#given = source.first;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#source.everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A new enclave has the launch document's bundle: it gets the one accepted last before it serves, so that a crash does not bring an older policy back. */
  async launched(): Promise<void> {
    this.#given = this.#source.first;
    if (this.#accepted !== null) await this.#give(this.#accepted);
  }

  /** Looks once. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking || this.#link.state !== "up") return;
    this.#looking = true;
    try {
      const found = await this.#read();
      if (found !== null && Buffer.compare(found, this.#given) !== 0) await this.#give(found);
    } finally {
      this.#looking = false;
    }
  }

  async #read(): Promise<Uint8Array | null> {
    try {
      const found = await this.#source.read();
      this.#unreadable = false;
      return found;
    } catch (thrown) {
      if (!this.#unreadable) this.#log.warn("policy bundle not read", { code: asCmcpError(thrown, "INTERNAL", "the bundle could not be read").code });
      this.#unreadable = true;
      return null;
    }
  }

  async #give(bundle: Uint8Array): Promise<void> {
    const before = this.#given;
    this.#given = bundle;
    try {
      await this.#link.reload(bundle);
      this.#accepted = bundle;
      this.#log.info("policy reloaded");
    } catch (thrown) {
      const { code } = asCmcpError(thrown, "INTERNAL", "the reload failed");
      // An enclave that was away, or whose journal was, has not judged this bundle; one that refused it will again.
      const judged = code !== "ENCLAVE_UNAVAILABLE" && code !== "AUDIT_STORE_UNAVAILABLE";
      if (!judged && this.#given === bundle) this.#given = before;
      this.#log.warn("policy bundle refused", { code });
    }
  }
}
