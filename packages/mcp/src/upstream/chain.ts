import { timingSafeEqual, type X509Certificate } from "node:crypto";
import { checkServerIdentity, type TLSSocket } from "node:tls";
import {
  fingerprintOf,
  identityMismatch,
  spkiSha256,
  type IdentityFault,
  type ServerAuthentication,
} from "./authentication.ts";
import { checkSvid } from "./svid.ts";
import { isIssuedBy, type TrustedRoots } from "./trusted-roots.ts";

/** Most certificates that a server may send. */
const MAX_SENT = 16;

/** What a chain is held to. */
export interface ChainTrust {
  readonly roots: TrustedRoots;
  /** SHA-256 of SubjectPublicKeyInfos, 32 bytes each: one of them must be a key above the leaf. Empty: any will do. */
  readonly issuerPins: readonly Uint8Array[];
  /** The SPIFFE ID that the certificate must have, in place of the host name. */
  readonly spiffeId?: string;
  /** The time that dates are held to, in milliseconds since 1970. */
  readonly now: () => number;
}

/** What OpenSSL says of a chain that it does not accept; all else is `invalid-chain`. */
const VERDICTS: ReadonlyMap<string, readonly [IdentityFault, string]> = new Map([
  ["DEPTH_ZERO_SELF_SIGNED_CERT", ["self-signed", "its certificate is signed by itself"]],
  ["SELF_SIGNED_CERT_IN_CHAIN", ["unknown-issuer", "the root of its certificate is not a trusted one"]],
  ["UNABLE_TO_GET_ISSUER_CERT", ["unknown-issuer", "its certificate does not lead to a trusted root"]],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", ["unknown-issuer", "its certificate does not lead to a trusted root"]],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", ["unknown-issuer", "its certificate does not lead to a trusted root"]],
  ["CERT_HAS_EXPIRED", ["expired", "a certificate of its chain has expired"]],
  ["CERT_NOT_YET_VALID", ["not-yet-valid", "a certificate of its chain is not valid yet"]],
]);

/** The fault in the dates of certificates; `null` where all hold. */
function dateFault(certificates: readonly X509Certificate[], now: number): ReturnType<typeof identityMismatch> | null {
  if (certificates.some(({ validToDate }) => now > validToDate.getTime()))
    return identityMismatch("expired", "a certificate of its chain has expired");
  if (certificates.some(({ validFromDate }) => now < validFromDate.getTime()))
    return identityMismatch("not-yet-valid", "a certificate of its chain is not valid yet");
  return null;
}

/** What a server sent beside its own certificate, in its order. */
function sentWith(leaf: X509Certificate): readonly X509Certificate[] {
  const sent: X509Certificate[] = [];
  for (let at = leaf.issuerCertificate; at !== undefined; at = at.issuerCertificate) {
    if (sent.length >= MAX_SENT) throw identityMismatch("invalid-chain", `it sent more than ${MAX_SENT} certificates`);
    sent.push(at);
  }
  return sent;
}

/**
 * The paths from a leaf to roots over authorities that the server sent, shortest first. Each certificate is in one path
 * at most, so that a server cannot make the search long.
 */
function pathsToRoots(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  roots: TrustedRoots,
): readonly (readonly X509Certificate[])[] {
  const open: (readonly [X509Certificate, ...X509Certificate[]])[] = [[leaf]];
  const left = new Set(sent.filter(({ ca }) => ca));
  const paths: X509Certificate[][] = [];
  for (let path = open.shift(); path !== undefined; path = open.shift()) {
    const [last] = path;
    for (const root of roots.issuersOf(last)) paths.push([root, ...path].toReversed());
    for (const next of left)
      if (isIssuedBy(last, next)) {
        left.delete(next);
        open.push([next, ...path]);
      }
  }
  return paths;
}

function isPinned(certificate: X509Certificate, pins: readonly Uint8Array[]): boolean {
  const key = spkiSha256(certificate);
  return pins.some((pin) => timingSafeEqual(pin, key));
}

/**
 * Checks who a finished handshake is with, by certificates of authorities (RFC 5280, RFC 6125, RFC 9110 section 4.3.4).
 * OpenSSL has built and checked a chain under these roots alone: signatures, name constraints, key usage and dates by
 * the machine's clock. What it found is asked for here, and the chain is built once more for what Node does not tell of
 * it: the dates by the gateway's clock, and the pinned key of an authority. A SPIFFE ID takes the place of the host name. Names count only as alternative names of the
 * certificate (Node's `checkServerIdentity`, without the subject). Nobody is asked whether a certificate was revoked.
 *
 * @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH`
 */
export function checkChain(
  socket: TLSSocket,
  host: string,
  { roots, issuerPins, now, spiffeId }: ChainTrust,
): ServerAuthentication {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) throw identityMismatch("no-certificate", "no certificate");
  if (!socket.authorized) throw verdictOf(socket.authorizationError);
  if (spiffeId === undefined) checkName(leaf, host);
  else checkSvid(leaf.raw, spiffeId);
  const paths = pathsToRoots(leaf, sentWith(leaf), roots);
  const [first] = paths;
  if (first === undefined) throw identityMismatch("unknown-issuer", "its certificate does not lead to a trusted root");
  const time = now();
  const dated = paths.filter((path) => dateFault(path, time) === null);
  const [path = first] = dated;
  const fault = dateFault(path, time);
  if (fault !== null) throw fault;
  const accepted =
    issuerPins.length === 0
      ? path
      : dated.find(([, ...authorities]) => authorities.some((authority) => isPinned(authority, issuerPins)));
  const issuer = accepted?.[1];
  if (issuer === undefined)
    throw identityMismatch("wrong-issuer", "no authority above its certificate has a pinned key");
  return {
    trust: roots.kind,
    key: fingerprintOf(spkiSha256(leaf)),
    issuerKey: fingerprintOf(spkiSha256(issuer)),
    ...(spiffeId === undefined ? {} : { spiffeId }),
  };
}

/** Names count only as alternative names: the legacy object is handed over without its subject. */
function checkName(leaf: X509Certificate, host: string): void {
  const { subjectaltname } = leaf.toLegacyObject();
  if (checkServerIdentity(host, { subjectaltname } as Parameters<typeof checkServerIdentity>[1]) !== undefined)
    throw identityMismatch("wrong-name", "its certificate is for another host");
}

/** @param error OpenSSL's code, which Node gives as a text where its types have an error */
function verdictOf(error: unknown): ReturnType<typeof identityMismatch> {
  const [reason, why] = VERDICTS.get(String(error)) ?? ["invalid-chain", "its chain of certificates is not valid"];
  return identityMismatch(reason, why);
}
