import { fromBase64Url } from "@cmcp/boundary";
import { compactVerify, type CryptoKey } from "jose";
import { authenticatedCaller, type AuthenticatedCaller } from "../authenticated-caller.ts";
import { MAX_TOKEN } from "../limits.ts";
import { principalName } from "../names.ts";
import type { IssuerSettings } from "../schema.ts";
import { checkClaims } from "./claims.ts";
import { looksLikeJwt } from "./compact.ts";
import { tokenFault } from "./fault.ts";
import { readHeader, readPart, type JwtHeader } from "./header.ts";
import { KeyRing } from "./keys.ts";
import { projectClaims } from "./project.ts";

interface Issuer {
  readonly settings: IssuerSettings;
  readonly keys: KeyRing;
}

async function verifySignature(token: string, key: CryptoKey, { alg }: JwtHeader): Promise<void> {
  try {
    await compactVerify(token, key, { algorithms: [alg] });
  } catch (thrown) {
    throw tokenFault("signature", thrown);
  }
}

/** Verifies JWTs (RFC 7519, RFC 8725, RFC 9068) with the keys of the measured configuration. Fetches nothing. */
export class JwtAuthenticator {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #now: () => number;

  private constructor(issuers: ReadonlyMap<string, Issuer>, now: () => number) {
    this.#issuers = issuers;
    this.#now = now;
  }

  /**
   * @param now milliseconds since 1970, of a clock that does not go back
   * @throws CmcpError `CONFIG_INVALID` for a key that is none
   */
  static async of(issuers: readonly IssuerSettings[], now: () => number): Promise<JwtAuthenticator> {
    const read = await Promise.all(
      issuers.map(
        async (settings) =>
          [
            settings.issuer,
            { settings, keys: await KeyRing.of(settings.jwks.keys, settings.algorithms, settings.issuer) },
          ] as const,
      ),
    );
    return new JwtAuthenticator(new Map(read), now);
  }

  /**
   * The caller a token proves.
   * @throws CmcpError `UNAUTHENTICATED`; `detail.reason` is a `TokenFault`
   */
  async authenticate(token: string): Promise<AuthenticatedCaller> {
    if (token.length > MAX_TOKEN) throw tokenFault("size");
    const [head = "", body = "", signature = ""] = token.split(".", 3);
    // One spelling of each token: decoders differ on bits that mean nothing.
    if (!looksLikeJwt(token) || fromBase64Url(signature) === undefined) throw tokenFault("form");
    const header = readHeader(head);
    const claims = readPart(body, "form");
    // Not believed yet: it only says whose keys must have signed this.
    const issuer = typeof claims.iss === "string" ? this.#issuers.get(claims.iss) : undefined;
    if (issuer === undefined) throw tokenFault("issuer");
    const { settings, keys } = issuer;
    if (!settings.algorithms.includes(header.alg)) throw tokenFault("algorithm");
    if (!settings.types.some((type) => type.toLowerCase() === header.typ.toLowerCase())) throw tokenFault("type");
    await verifySignature(token, keys.select(header), header);
    const { subject, expiresAt } = checkClaims(claims, settings, this.#now());
    const standing = principalOf(subject, settings);
    return authenticatedCaller({
      source: "jwt",
      ...standing,
      issuer: settings.issuer,
      subject,
      claims: projectClaims(claims, settings.claims),
      expiresAt,
    });
  }

  /** Whether the token of a caller that was authenticated has not expired since. */
  isCurrent({ expiresAt }: AuthenticatedCaller): boolean {
    return this.#now() < expiresAt;
  }
}

/** The principal that a subject maps to. */
interface MappedPrincipal {
  readonly principalId: string;
  readonly workflows: readonly string[] | null;
}

/** @throws CmcpError `UNAUTHENTICATED`, reason `subject`, if the configuration does not allow the subject */
function principalOf(subject: string, { subjects, any_subject: any }: IssuerSettings): MappedPrincipal {
  const listed = subjects.find((one) => one.subject === subject);
  if (listed !== undefined) return { principalId: listed.principal, workflows: listed.workflows ?? null };
  if (any == null) throw tokenFault("subject");
  const principalId = `${any.prefix}${subject}`;
  // A subject that does not fit a principal's name is refused: any change of it could name another principal.
  if (!principalName.safeParse(principalId).success) throw tokenFault("subject");
  return { principalId, workflows: any.workflows };
}
