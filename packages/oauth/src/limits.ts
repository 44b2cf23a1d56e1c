/** Bounds on what authorization servers, tool servers and browsers send. Sizes in bytes or characters, times in milliseconds. */

/** Metadata, a registration or a token response. */
export const MAX_DOCUMENT_BYTES = 64 * 1024;
/** One request to an authorization server, its answer included. */
export const REQUEST_MS = 10_000;
/** An access token, a refresh token or an assertion, in characters. */
export const MAX_TOKEN = 16 * 1024;
/** A `WWW-Authenticate` header, in characters. */
export const MAX_CHALLENGE = 8 * 1024;
/** Scopes in one list, and the characters of one. */
export const MAX_SCOPES = 64;
export const MAX_SCOPE = 256;
/** Longest URL and issuer, in characters. */
export const MAX_URL = 2_048;
/** Authorization servers that one resource may name. */
export const MAX_SERVERS = 16;
/** How long a token is kept of which nothing says how long it lasts. */
export const UNSAID_LIFETIME_MS = 5 * 60_000;
/** The longest that a token is kept, whatever its response says. */
export const MAX_LIFETIME_MS = 24 * 3_600_000;
/** A token is renewed this long before its end. */
export const RENEW_BEFORE_MS = 30_000;
/** How long a person has to consent. */
export const CONSENT_MS = 10 * 60_000;
/** Consents that may wait for persons, in all and of one owner; one that begins with a login counts twice. */
export const MAX_CONSENTS = 1_024;
export const MAX_CONSENTS_OF_OWNER = 8;
/** Times that more scopes are asked for after a server refused those at hand. */
export const MAX_STEP_UPS = 2;
