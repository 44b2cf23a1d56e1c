import { TOKEN_EXCHANGE } from "./acquire.ts";
import type { Clients } from "./clients.ts";
import { asAuthorizationFault, responseFault } from "./fault.ts";
import { boundedFetch, type Fetch } from "./http.ts";
import { MAX_TOKEN } from "./limits.ts";
import { findServerMetadata } from "./server-metadata.ts";
import type { AssertionRequest } from "./settings.ts";
import { TokenEndpoint } from "./token-endpoint.ts";

const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
/** Type of an identity token (RFC 8693 section 3). */
export const ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";

/** An identity provider that vouches for persons to other authorization servers. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly clients: Clients;
  /** An identity token of the person that this provider issued to that client: never a token that a caller presented. */
  readonly identityToken: () => Promise<string>;
  readonly fetch: Fetch;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/**
 * Has an identity token turned into an identity assertion for another authorization server (draft-ietf-oauth-identity-assertion-
 * authz-grant, section 4): what the grant `jwt_bearer` takes.
 * @throws CmcpError `AUTHORIZATION_REFUSED`, `AUTHORIZATION_RESPONSE_INVALID`, `AUTHORIZATION_METADATA_INVALID`
 */
export function identityAssertion(provider: IdentityProvider): (about: AssertionRequest) => Promise<string> {
  const fetch = boundedFetch(provider.fetch);
  return async ({ issuer: audience, resource, scopes }) => {
    try {
      const metadata = await findServerMetadata(provider.issuer, fetch);
      const client = await provider.clients.at(metadata);
      const endpoint = new TokenEndpoint({ metadata, client, pair: null, fetch, now: provider.now });
      const { access_token: assertion, issued_token_type: type } = await endpoint.ask(TOKEN_EXCHANGE, {
        subject_token: await provider.identityToken(),
        subject_token_type: ID_TOKEN,
        requested_token_type: ID_JAG,
        audience,
        resource,
        ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
      });
      if (type !== ID_JAG || assertion.length > MAX_TOKEN)
        throw responseFault("the identity provider issued something else than an identity assertion");
      return assertion;
    } catch (thrown) {
      throw asAuthorizationFault(thrown);
    }
  };
}
