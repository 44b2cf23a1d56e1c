import { CmcpError } from "@cmcp/boundary";
import * as z from "zod";
import { fingerprint, trust } from "./entry/shape.ts";
import { readTrust, sameTrust, type ServerTrust } from "./trust.ts";

/** Bounds on what a catalog says of a server's authorization. */
const MAX_ISSUERS = 8;
const MAX_SCOPES = 64;
const MAX_URL = 2_048;

/** A scope (RFC 6749 section 3.3). */
const scope = z
  .string()
  .max(256)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "must be a scope without spaces");

const clientId = z
  .string()
  .max(MAX_URL)
  .regex(/^[\x21-\x7e]+$/, "must be visible ASCII without spaces");
const secretName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "must be the name of a provisioned secret");
const issuerMembers = { issuer: z.string().max(MAX_URL), tls_fingerprint: fingerprint.optional(), ...trust };

/** How tokens are got: for the gateway itself, by a person's consent, or for a caller who logged in at an issuer (RFC 8693, ID-JAG). */
const GRANTS = ["client_credentials", "consent", "token_exchange", "identity_assertion"] as const;

/** How a named server's `authorization` is written. */
export const authorizationSchema = z.strictObject({
  grant: z.enum(GRANTS),
  // Without it the gateway is known by the metadata that it publishes, or registers itself.
  client_id: clientId.optional(),
  // The name of a secret that is provisioned; without it the client proves itself by a key that is made in the enclave.
  client_secret: secretName.optional(),
  // The most that is asked for: a server's challenge names no other.
  scopes: z.array(scope).max(MAX_SCOPES),
  audience: z.string().min(1).max(MAX_URL).optional(),
  issuers: z.array(z.strictObject(issuerMembers)).min(1).max(MAX_ISSUERS),
  dpop: z.enum(["never", "offered", "required"]).default("offered"),
  // Where a caller logs in, to show that whoever consents is the caller.
  login: z.strictObject({ ...issuerMembers, client_id: clientId, client_secret: secretName.optional() }).optional(),
  // Takes consents that nothing confirms: an agent could send the link to anybody.
  unconfirmed: z.boolean().default(false),
});

/** An authorization server that may give tokens for a tool server. */
export interface ApprovedIssuer {
  /** Its issuer identifier, compared character by character. */
  readonly issuer: string;
  /** How its server is known; `null` over plain http. */
  readonly trust: ServerTrust | null;
}

/** How the gateway gets tokens for a server. All of it is measured. */
export interface AuthorizationSettings {
  /** For the gateway itself, or with any other for each caller. */
  readonly grant: (typeof GRANTS)[number];
  /** `null` where the gateway registers itself. */
  readonly clientId: string | null;
  /** Name of the provisioned secret; `null` for a key that is made in the enclave. */
  readonly clientSecret: string | null;
  readonly scopes: readonly string[];
  readonly audience: string | null;
  readonly issuers: readonly ApprovedIssuer[];
  readonly dpop: "never" | "offered" | "required";
  /** Where callers log in before they consent; `null` for nowhere. */
  readonly login: {
    readonly issuer: ApprovedIssuer;
    readonly clientId: string;
    readonly clientSecret: string | null;
  } | null;
  /** Whether consents count that nothing confirms. */
  readonly unconfirmed: boolean;
}

type Written = z.infer<typeof authorizationSchema>;

function readLogin(
  { login }: Written,
  developmentMode: boolean,
  refuse: (why: string) => never,
): AuthorizationSettings["login"] {
  if (login === undefined) return null;
  const { client_id: id, client_secret: secret = null, ...issuer } = login;
  return { issuer: readIssuer(issuer, developmentMode, refuse), clientId: id, clientSecret: secret };
}

function readIssuer(
  { issuer, ...members }: Written["issuers"][number],
  developmentMode: boolean,
  refuse: (why: string) => never,
): ApprovedIssuer {
  const url = URL.parse(issuer);
  if (url === null || !["https:", "http:"].includes(url.protocol) || /[?#]/.test(issuer) || url.username !== "")
    return refuse("an issuer is an https URL without query and fragment");
  const known = readTrust(members, url, refuse);
  if (url.protocol === "https:" && known === null) refuse(`the issuer ${issuer} has no real tls_fingerprint`);
  if (url.protocol === "http:" && !developmentMode)
    refuse(`the issuer ${issuer} is plain http, which is allowed only with CMCP_DEV_MODE=1`);
  return { issuer, trust: known };
}

/** Refuses members that the grant has no use for, or lacks. */
function checkGrant({ grant, client_id: id, login, unconfirmed }: Written, refuse: (why: string) => never): void {
  if (grant !== "consent" && (id === undefined || unconfirmed))
    refuse(`${grant} needs \`client_id\`, and has no \`unconfirmed\``);
  if (grant === "client_credentials" && login !== undefined)
    refuse("`login` is for callers, and client_credentials has none");
  if (grant === "consent" && login === undefined && !unconfirmed)
    refuse("consent needs `login`, by which callers are confirmed, or `unconfirmed: true`");
  if ((grant === "token_exchange" || grant === "identity_assertion") && login === undefined)
    refuse(`${grant} needs \`login\`: the identity token is the one that a caller's login gives the gateway`);
}

/**
 * Reads a server's `authorization`.
 * @param name of the server, for messages
 * @throws CmcpError `CATALOG_INVALID`
 */
export function readAuthorization(name: string, written: Written, developmentMode: boolean): AuthorizationSettings {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `catalog server ${name}: authorization: ${why}`);
  };
  const issuers = written.issuers.map((issuer) => readIssuer(issuer, developmentMode, refuse));
  const login = readLogin(written, developmentMode, refuse);
  checkGrant(written, refuse);
  const byOrigin = new Map<string, ServerTrust | null>();
  for (const { issuer, trust: known } of login === null ? issuers : [...issuers, login.issuer]) {
    const { origin } = new URL(issuer);
    if (!sameTrust(byOrigin.get(origin) ?? known, known)) refuse(`${origin} is listed with two ways to trust it`);
    byOrigin.set(origin, known);
  }
  const {
    grant,
    unconfirmed,
    client_id: clientId = null,
    client_secret: clientSecret = null,
    scopes,
    audience = null,
    dpop,
  } = written;
  return { grant, clientId, clientSecret, scopes, audience, issuers, dpop, login, unconfirmed };
}
