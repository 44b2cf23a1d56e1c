import type { ServerAuthentication } from "@cmcp/mcp";
import type { Detail } from "./ending.ts";

/** Most different servers that an entry names: a key that is renewed during a call makes two. */
const MAX_FOUND = 16;

/** Who the requests of one call went to, where certificates of authorities said it. */
export class ServerAuthentications {
  readonly #found = new Map<string, ServerAuthentication>();

  /** Takes who a connection leads to, before a request leaves over it. */
  add(server: ServerAuthentication): void {
    if (this.#found.size < MAX_FOUND) this.#found.set(`${server.key} ${server.issuerKey}`, server);
  }

  /** For the call's entry: the trust, the keys of servers and issuers in the order they were met, and a SPIFFE ID; empty if nobody said it. */
  get detail(): Detail {
    const found = [...this.#found.values()];
    const [first] = found;
    if (first === undefined) return {};
    return {
      server_authentication: first.trust,
      server_key: found.map(({ key }) => key).join(","),
      server_issuer_key: found.map(({ issuerKey }) => issuerKey).join(","),
      ...(first.spiffeId === undefined ? {} : { server_spiffe_id: first.spiffeId }),
    };
  }
}
