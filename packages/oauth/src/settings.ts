import type { Clients } from "./clients.ts";
import type { Consents } from "./consents.ts";
import type { Fetch } from "./http.ts";
import type { SigningPair } from "./keys.ts";

/** What an assertion is to be about. */
export interface AssertionRequest {
  readonly issuer: string;
  readonly resource: string;
  readonly scopes: readonly string[];
}

/** A token of somebody's, with its type (RFC 8693 section 3). */
export interface SubjectToken {
  readonly token: string;
  readonly type: string;
}

/** How tokens for a server are got. */
export type GrantSettings =
  /** For the gateway itself (RFC 6749 section 4.4). */
  | { readonly kind: "client_credentials" }
  /** By a person's browser (OAuth 2.1 section 4.1). `first` makes of its link the one to a login that leads there. */
  | {
      readonly kind: "authorization_code";
      readonly consents: Consents;
      readonly redirectUri: string;
      readonly first?: (next: string) => Promise<string>;
    }
  /** By an assertion (RFC 7523 section 2.1): a workload's own, or an ID-JAG. */
  | { readonly kind: "jwt_bearer"; readonly assertion: (about: AssertionRequest) => Promise<string> }
  /** By a token that stands for somebody (RFC 8693), and that was issued to this client: never one that a caller presented. */
  | { readonly kind: "token_exchange"; readonly subjectToken: () => Promise<SubjectToken> };

/** What authorizes requests to one tool server, for one subject. */
export interface AuthorizationOptions {
  readonly server: URL;
  /** Issuers whose authorization servers may be asked; what else a tool server names is not. */
  readonly issuers: Pick<ReadonlySet<string>, "has">;
  readonly clients: Clients;
  readonly grant: GrantSettings;
  /** The most scopes that are asked for; `null` for no bound. */
  readonly scopes: readonly string[] | null;
  /** What a token's audience is where it is not the resource; `null` for the resource. */
  readonly audience: string | null;
  /** Whether tokens are bound to a key (RFC 9449): where both servers offer it, or else nothing is sent. */
  readonly proofs: "never" | "offered" | "required";
  /** Whom the tokens stand for, as records name it. */
  readonly subject: string;
  readonly pair: SigningPair;
  readonly fetch: Fetch;
  /** Seconds since 1970, for assertions and proofs. */
  readonly now: () => number;
  /** Monotonic milliseconds, for lifetimes. */
  readonly monotonic: () => number;
}
