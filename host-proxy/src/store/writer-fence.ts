import { asCmcpError, CmcpError } from "@cmcp/boundary";
import type { LogStore } from "./log-store.ts";
import type { HostStoreLocation } from "./open-store.ts";

/**
 * Notices that the store refused an append because it has another record there: another gateway writes the log. The
 * enclave ends then. A host that started it again would take the log back from the other one, and lose it again.
 */
export class WriterFence {
  readonly #where: string;
  readonly #superseded = Promise.withResolvers<CmcpError>();
  #refused = false;

  constructor(location: HostStoreLocation) {
    this.#where = nameOf(location);
  }

  /** Appends, and notices a refusal. @throws as the store */
  async append(store: LogStore, batch: Parameters<LogStore["append"]>[0]): Promise<void> {
    try {
      await store.append(batch);
    } catch (thrown) {
      if (asCmcpError(thrown, "INTERNAL", "").code === "AUDIT_STORE_MISMATCH") this.#refused = true;
      throw thrown;
    }
  }

  /** Another enclave starts, which has appended nothing yet. */
  reset(): void {
    this.#refused = false;
  }

  /** Resolves once an enclave has ended and {@link mayRestart} has said that none may be started again. */
  get superseded(): Promise<CmcpError> {
    return this.#superseded.promise;
  }

  /** Whether another enclave may be started in place of one that has ended. */
  mayRestart(): boolean {
    const { error } = this;
    if (error !== null) this.#superseded.resolve(error);
    return error === null;
  }

  /** Why no enclave may be started again; `null` while one may. */
  get error(): CmcpError | null {
    return this.#refused
      ? new CmcpError("AUDIT_STORE_MISMATCH", `another gateway writes the log in ${this.#where}, so this one ends`)
      : null;
  }
}

/** A store by name, without user and password. */
function nameOf(location: HostStoreLocation): string {
  if ("path" in location) return location.path ?? "memory";
  const url = URL.parse(location.url);
  const host = url?.searchParams.get("host") ?? url?.host ?? "";
  return `the PostgreSQL database ${host}${url?.pathname ?? ""}`;
}
