import {
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  clockSkew,
  clockTolerance,
  customFetch,
  DPoP,
  genericTokenEndpointRequest,
  getValidatedIdTokenClaims,
  isDPoPNonceError,
  processAuthorizationCodeResponse,
  processGenericTokenEndpointResponse,
  validateAuthResponse,
  type AuthorizationServer,
  type Client,
  type DPoPHandle,
  type TokenEndpointRequestOptions,
  type TokenEndpointResponse,
} from "oauth4webapi";
import type { KnownClient } from "./client.ts";
import type { Fetch } from "./http.ts";
import type { SigningPair } from "./keys.ts";
import type { ServerMetadata } from "./server-metadata.ts";

/** What a token endpoint is asked with. */
export interface TokenEndpointOptions {
  readonly metadata: ServerMetadata;
  readonly client: KnownClient;
  /** The key that tokens are to be bound to; `null` for bearer tokens. */
  readonly pair: SigningPair | null;
  readonly fetch: Fetch;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** What a browser brought back, and what it has to fit. */
export interface Callback {
  readonly parameters: URLSearchParams;
  readonly state: string;
  readonly redirectUri: string;
  readonly verifier: string;
}

/** Who logged in, and the identity token that says so. */
export interface LoggedIn {
  readonly subject: string;
  readonly identityToken: string;
  readonly secondsLeft: number;
}

/** The token endpoint of one authorization server, as one client. */
export class TokenEndpoint {
  readonly #metadata: AuthorizationServer;
  readonly #known: KnownClient;
  readonly #client: Client;
  readonly #dpop: DPoPHandle | null;
  readonly #fetch: Fetch;
  readonly #now: () => number;

  constructor({ metadata, client, pair, fetch, now }: TokenEndpointOptions) {
    const { issuer, token_endpoint, authorization_response_iss_parameter_supported: says } = metadata;
    const { id_token_signing_alg_values_supported: algorithms } = metadata;
    this.#metadata = {
      issuer,
      token_endpoint,
      ...(says === undefined ? {} : { authorization_response_iss_parameter_supported: says }),
      ...(algorithms === undefined ? {} : { id_token_signing_alg_values_supported: algorithms }),
    };
    this.#known = client;
    this.#client = { client_id: client.id, [clockTolerance]: 30, [clockSkew]: now() - Math.floor(Date.now() / 1000) };
    this.#dpop = pair === null ? null : DPoP(this.#client, pair);
    this.#fetch = fetch;
    this.#now = now;
  }

  /** Asks for a token by any grant but a code. @throws as oauth4webapi; what `fetch` throws */
  async ask(grantType: string, parameters: Readonly<Record<string, string>>): Promise<TokenEndpointResponse> {
    return await this.#answered((options) =>
      genericTokenEndpointRequest(
        this.#metadata,
        this.#client,
        this.#known.authentication,
        grantType,
        { ...parameters },
        options,
      ),
    );
  }

  /**
   * Exchanges the code of an authorization response, once the response is what was waited for: of the issuer that was asked
   * (RFC 9207 section 2.4), with the state of this consent. @throws as {@link ask}
   */
  async exchangeCode(callback: Callback, resource: string): Promise<TokenEndpointResponse> {
    const { parameters, state, redirectUri, verifier } = callback;
    const validated = validateAuthResponse(this.#metadata, this.#client, parameters, state);
    return await this.#answered((options) =>
      authorizationCodeGrantRequest(
        this.#metadata,
        this.#client,
        this.#known.authentication,
        validated,
        redirectUri,
        verifier,
        { ...options, additionalParameters: { resource } },
      ),
    );
  }

  /**
   * Exchanges a code for the identity token of who logged in (OpenID Connect Core section 3.1.3.7). It comes from the issuer itself,
   * over a connection that authenticates it. @throws as {@link ask}
   */
  async exchangeLogin(callback: Callback, nonce: string): Promise<LoggedIn> {
    const { parameters, state, redirectUri, verifier } = callback;
    const validated = validateAuthResponse(this.#metadata, this.#client, parameters, state);
    const { authentication } = this.#known;
    const sent = [this.#metadata, this.#client, authentication, validated, redirectUri, verifier] as const;
    const response = await authorizationCodeGrantRequest(...sent, this.#options());
    const requirements = { expectedNonce: nonce, requireIdToken: true };
    const tokens = await processAuthorizationCodeResponse(this.#metadata, this.#client, response, requirements);
    const { sub = "", exp = 0 } = getValidatedIdTokenClaims(tokens) ?? {};
    return { subject: sub, identityToken: tokens.id_token ?? "", secondsLeft: Math.max(0, exp - this.#now()) };
  }

  #options(): TokenEndpointRequestOptions {
    return {
      [customFetch]: async (url, init) =>
        await this.#fetch(url, {
          method: init.method,
          headers: init.headers,
          body: init.body,
          signal: init.signal ?? null,
        }),
      // Plain http is for development: whoever approved the issuer wrote it so.
      [allowInsecureRequests]: this.#metadata.issuer.startsWith("http:"),
      ...(this.#dpop === null ? {} : { DPoP: this.#dpop }),
    };
  }

  async #answered(send: (options: TokenEndpointRequestOptions) => Promise<Response>): Promise<TokenEndpointResponse> {
    const options = this.#options();
    try {
      return await this.#read(await send(options));
    } catch (thrown) {
      // RFC 9449 section 8: the nonce of the refusal is remembered, and the request is made once more.
      if (this.#dpop === null || !isDPoPNonceError(thrown)) throw thrown;
      return await this.#read(await send(options));
    }
  }

  async #read(response: Response): Promise<TokenEndpointResponse> {
    return await processGenericTokenEndpointResponse(this.#metadata, this.#client, response, {
      // RFC 8693 section 2.2.1: what was issued is no access token.
      recognizedTokenTypes: { n_a: () => undefined },
    });
  }
}
