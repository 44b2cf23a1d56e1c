import { asCmcpError, CmcpError, readKeyPin, type Untrusted } from "@cmcp/boundary";
import {
  KEY_FETCH_MS,
  keySetFault,
  MAX_KEY_SET_BYTES,
  RemoteKeys,
  type IssuerSettings,
  type KeyFetchSettings,
  type RemoteKeysState,
} from "@cmcp/identity";
import type { ServerTrust } from "@cmcp/catalog";
import { fetchDocument, type Dial, type UpstreamTls } from "@cmcp/mcp";
import { chainTrust, type ServerRoots } from "./server-roots.ts";

const SECOND = 1000;

/** How the keys of issuers are fetched. */
export interface IssuerKeysOptions {
  /** Reaches a host through the host's relay. */
  readonly dial: Dial;
  /** The roots of servers that authorities vouch for. */
  readonly roots: Pick<ServerRoots, "of">;
  /** Milliseconds since 1970, for the dates of servers' certificates. */
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** The 32 bytes of a pin of the configuration. @throws CmcpError `INTERNAL` for one that its schema does not take */
function pinOf(text: string): Uint8Array {
  const pin = readKeyPin(text);
  if (pin === undefined) throw new CmcpError("INTERNAL", "a pin of the configuration is none");
  return pin;
}

/** The ways in which a server may be known: one for each pinned key of its own, else one. */
function trustsOf({ trust, pins, roots, issuer_pins: authorities }: KeyFetchSettings): readonly ServerTrust[] {
  if (trust === "pinned") return (pins ?? []).map((pin) => ({ kind: trust, spkiSha256: pinOf(pin) }));
  const issuerPins = (authorities ?? []).map(pinOf);
  return [trust === "webpki" ? { kind: trust, issuerPins } : { kind: trust, roots: roots ?? [], issuerPins }];
}

/** The keys of issuers that are fetched, each from the server that the configuration trusts for it. */
export class FetchedIssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #all: RemoteKeys[] = [];

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** What can be said of each. */
  get states(): readonly RemoteKeysState[] {
    return this.#all.map(({ state }) => state);
  }

  /**
   * The keys of one issuer, of which nothing is fetched before a token needs it.
   * @throws CmcpError `CONFIG_INVALID` for roots that are not known
   */
  open({ issuer, algorithms, jwks_uri: uri, jwks_fetch: settings }: IssuerSettings): RemoteKeys {
    if (uri == null || settings == null) throw keySetFault("fetch");
    const known = trustsOf(settings).map((trust) => this.#tls(trust));
    const keys = new RemoteKeys({
      issuer,
      algorithms,
      refreshMs: settings.refresh_seconds * SECOND,
      maxAgeMs: settings.max_age_seconds * SECOND,
      fetch: async (signal) => await this.#fetch(new URL(uri), known, signal),
      now: this.#options.monotonic,
    });
    this.#all.push(keys);
    return keys;
  }

  #tls(trust: ServerTrust): UpstreamTls {
    const { now, roots } = this.#options;
    return trust.kind === "pinned"
      ? { mode: "pinned", spkiSha256: trust.spkiSha256, now }
      : { mode: "chain", ...chainTrust(trust, roots), now };
  }

  /** Fetches from the server if it is known in one of the ways. One that is not is asked nothing. */
  async #fetch(url: URL, known: readonly UpstreamTls[], signal: AbortSignal): Promise<Untrusted<Uint8Array>> {
    const bounds = { maxBytes: MAX_KEY_SET_BYTES, totalMs: KEY_FETCH_MS };
    let fault = keySetFault("fetch");
    for (const tls of known) {
      try {
        return await fetchDocument({ url, dial: this.#options.dial, tls, ...bounds }, signal);
      } catch (thrown) {
        fault = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the issuer's server cannot be reached");
        if (fault.code !== "UPSTREAM_IDENTITY_MISMATCH") throw fault;
      }
    }
    throw fault;
  }
}
