import { clientAt, type ClientSettings, type KnownClient } from "./client.ts";
import type { Fetch } from "./http.ts";
import type { ServerMetadata } from "./server-metadata.ts";

/** Who the gateway is to each authorization server of one tool server. A registration is never shown to another issuer. */
export class Clients {
  readonly #settings: ClientSettings;
  readonly #fetch: Fetch;
  readonly #byIssuer = new Map<string, Promise<KnownClient>>();

  constructor(settings: ClientSettings, fetch: Fetch) {
    this.#settings = settings;
    this.#fetch = fetch;
  }

  /** The client at one authorization server. @throws as {@link clientAt} */
  async at(metadata: ServerMetadata): Promise<KnownClient> {
    const { issuer } = metadata;
    const known = this.#byIssuer.get(issuer);
    if (known !== undefined) return await known;
    const asked = clientAt(metadata, this.#settings, this.#fetch);
    this.#byIssuer.set(issuer, asked);
    asked.catch(() => this.forget(issuer));
    return await asked;
  }

  /** Forgets a registration that its server knows no longer. */
  forget(issuer: string): void {
    this.#byIssuer.delete(issuer);
  }
}
