import { constants, X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { CmcpError } from "@cmcp/boundary";
import type { ServerAuthentication } from "./authentication.ts";
import { svidUris } from "./svid.ts";

/** A certificate and its key, PEM, that a server which asks for one is shown. */
export interface ClientIdentity {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Whether the key of `issuer` signed a certificate, and the names agree (RFC 5280 section 6.1.3 (a)). */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/**
 * Root certificates that vouch for tool servers. They are parsed when the first connection needs them, and once for all
 * servers that share them.
 */
export class TrustedRoots {
  /** Whose they are. */
  readonly kind: ServerAuthentication["trust"];
  readonly #pem: readonly string[];
  #certificates: readonly X509Certificate[] | undefined;
  readonly #contexts = new Map<ClientIdentity | null, SecureContext>();

  constructor(kind: ServerAuthentication["trust"], pem: readonly string[]) {
    this.kind = kind;
    this.#pem = pem;
  }

  /** How many there are. */
  get size(): number {
    return this.#pem.length;
  }

  /** The roots among these that issued a certificate. */
  issuersOf(certificate: X509Certificate): readonly X509Certificate[] {
    this.#certificates ??= this.#pem.map((text) => new X509Certificate(text));
    return this.#certificates.filter((root) => isIssuedBy(certificate, root));
  }

  /** What a TLS client is set up with: these roots and no other, and what it shows. */
  context(client: ClientIdentity | null): SecureContext {
    const known = this.#contexts.get(client);
    if (known !== undefined) return known;
    const context = createSecureContext({
      ca: [...this.#pem],
      minVersion: "TLSv1.2",
      // A renegotiation could change the certificate after it was checked (RFC 5746).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ...(client === null ? {} : { cert: client.certificate, key: client.privateKey }),
    });
    this.#contexts.set(client, context);
    return context;
  }
}

/** The roots that are compiled into Node: Mozilla's, as they stood at its release. No file or variable of the machine adds to them. */
export const BUNDLED_ROOTS = new TrustedRoots("webpki", rootCertificates);

/** A certificate in PEM, or the base64 of its DER. */
function readCertificate(text: string): X509Certificate | null {
  try {
    return new X509Certificate(text.startsWith("-----") ? text : Buffer.from(text, "base64"));
  } catch {
    return null;
  }
}

/**
 * The authorities of a SPIFFE trust domain.
 *
 * @param certificates - the base64 of the DER of each
 * @throws CmcpError `CONFIG_INVALID` as {@link readTrustedRoots}, and for one that names another SPIFFE ID than the trust domain's (X509-SVID
 * section 3)
 */
export function readDomainRoots(domain: string, certificates: readonly string[]): TrustedRoots {
  const key = `enclave.spiffe_bundles.${domain}`;
  const roots = readTrustedRoots(key, certificates, "spiffe");
  for (const [index, certificate] of certificates.entries())
    if (!svidUris(Buffer.from(certificate, "base64")).every((uri) => uri === `spiffe://${domain}`))
      throw new CmcpError("CONFIG_INVALID", `${key}: certificate ${index} is of another SPIFFE ID`);
  return roots;
}

/**
 * Roots of an authority of one's own, or of a SPIFFE trust domain.
 *
 * @param key - what messages call the setting that they are of
 * @param texts - certificates, each in PEM or as the base64 of its DER
 * @throws CmcpError `CONFIG_INVALID` for a text that is not one certificate of an authority which signed itself
 */
export function readTrustedRoots(
  key: string,
  texts: readonly string[],
  kind: "private-ca" | "spiffe" = "private-ca",
): TrustedRoots {
  const pem = texts.map((text, index) => {
    const certificate = readCertificate(text);
    const refuse = (why: string): CmcpError => new CmcpError("CONFIG_INVALID", `${key}: certificate ${index} ${why}`);
    if (certificate === null) throw refuse("is neither PEM nor the base64 of DER");
    if (!certificate.ca || !isIssuedBy(certificate, certificate))
      throw refuse("is not the root certificate of an authority: it must be an authority's and signed by its own key");
    return certificate.toString();
  });
  return new TrustedRoots(kind, pem);
}
