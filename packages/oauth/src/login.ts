import { CmcpError } from "@cmcp/boundary";
import { calculatePKCECodeChallenge, generateRandomCodeVerifier, generateRandomNonce } from "oauth4webapi";
import type { Clients } from "./clients.ts";
import type { Consents } from "./consents.ts";
import { asAuthorizationFault, metadataFault } from "./fault.ts";
import { ConsentRequired } from "./grant.ts";
import { boundedFetch, type Fetch } from "./http.ts";
import { findServerMetadata } from "./server-metadata.ts";
import { TokenEndpoint, type LoggedIn } from "./token-endpoint.ts";

/** Where persons log in, to show who they are. */
export interface LoginSettings {
  readonly issuer: string;
  readonly clients: Clients;
  readonly consents: Consents;
  readonly redirectUri: string;
  readonly fetch: Fetch;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** Who has to log in, and what for. */
export interface LoginRequest {
  readonly owner: string;
  /** The `sub` that the issuer knows the caller by. */
  readonly subject: string;
  /** Where the browser goes once exactly that person has logged in; nobody else learns it from here. `null` for nowhere. */
  readonly next: string | null;
  /** Gets the identity token that was issued to this client. */
  readonly loggedIn?: (login: LoggedIn) => void;
}

/**
 * The link to a login that has to come before a consent. Whoever opens a consent binds an account of theirs to the caller, so it
 * must be the caller: an agent could open the link itself, or send it to somebody else.
 * @returns the link
 * @throws CmcpError `AUTHORIZATION_METADATA_INVALID`, and as {@link Clients.at}; when the browser is back, `AUTHORIZATION_REFUSED` for
 * anybody else
 */
export async function loginLink(settings: LoginSettings, request: LoginRequest): Promise<string> {
  const { owner, subject, next } = request;
  const { issuer, clients, consents, redirectUri, now } = settings;
  const fetch = boundedFetch(settings.fetch);
  const metadata = await findServerMetadata(issuer, fetch);
  const client = await clients.at(metadata);
  const { authorization_endpoint: place } = metadata;
  if (place === undefined) throw metadataFault("the issuer of logins has no authorization_endpoint");
  const [verifier, nonce] = [generateRandomCodeVerifier(), generateRandomNonce()];
  const state = consents.begin(owner, async (parameters) => {
    let loggedIn: LoggedIn;
    try {
      const endpoint = new TokenEndpoint({ metadata, client, pair: null, fetch, now });
      loggedIn = await endpoint.exchangeLogin({ parameters, state, redirectUri, verifier }, nonce);
    } catch (thrown) {
      throw asAuthorizationFault(thrown);
    }
    if (loggedIn.subject !== subject)
      throw new CmcpError("AUTHORIZATION_REFUSED", "somebody else has logged in than the one the agent works for");
    request.loggedIn?.(loggedIn);
    return next;
  });
  const url = new URL(place);
  const parameters = {
    response_type: "code",
    client_id: client.id,
    redirect_uri: redirectUri,
    scope: "openid",
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Identity tokens of one caller, for grants that stand for the caller. They were issued to this client, and are in memory alone. */
export class CallerLogin {
  readonly #settings: LoginSettings;
  readonly #who: Pick<LoginRequest, "owner" | "subject">;
  readonly #monotonic: () => number;
  #token: { readonly text: string; readonly until: number } | null = null;

  /** @param monotonic milliseconds, for the end of a token */
  constructor(settings: LoginSettings, who: Pick<LoginRequest, "owner" | "subject">, monotonic: () => number) {
    this.#settings = settings;
    this.#who = who;
    this.#monotonic = monotonic;
  }

  /** An identity token that has not ended. @throws ConsentRequired until the caller has logged in; as {@link loginLink} */
  async identityToken(): Promise<string> {
    if (this.#token !== null && this.#monotonic() < this.#token.until) return this.#token.text;
    this.#token = null;
    const loggedIn = ({ identityToken, secondsLeft }: LoggedIn): void => {
      this.#token = { text: identityToken, until: this.#monotonic() + secondsLeft * 1000 };
    };
    throw new ConsentRequired(await loginLink(this.#settings, { ...this.#who, next: null, loggedIn }));
  }
}
