import { bytesEqual } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import { sha256Hex, type VerifierCrypto } from "../checks/crypto.ts";
import type { Certificate } from "./certificate.ts";
import { checkRevocation, type Listed, type StaleLists } from "./revocation.ts";
import type { RevocationList } from "./revocation-list.ts";
import { verifySignedBy } from "./signature.ts";

/** A pinned root: by the SHA-256 of its whole certificate, or of its SubjectPublicKeyInfo; lowercase hex. */
export type TrustAnchor = { readonly name: string } & (
  | { readonly certificateSha256: string }
  | { readonly spkiSha256: string }
);

/** Certificates of a path, leaf and root included. */
const MAX_PATH = 6;
/** Certificates looked through for each issuer. */
const MAX_CANDIDATES = 16;

export interface ChainInput {
  /** What the chain is of, the beginning of each check's name: `VCEK`, `PCK`. */
  readonly name: string;
  readonly leaf: Certificate;
  /** Everything that may lie between leaf and anchor, roots included, in any order. */
  readonly intermediates: readonly Certificate[];
  readonly anchors: readonly TrustAnchor[];
  readonly at: Date;
  readonly lists?: readonly RevocationList[];
  /** What a list past its nextUpdate does: fails the check (the default), or leaves it not performed. */
  readonly staleLists?: StaleLists;
  /** Whose list names a certificate: its issuer's, or for AMD the root's, for the whole path. */
  readonly listedBy?: "issuer" | "root";
}

/**
 * Builds and checks the path from a leaf to a pinned root (RFC 5280 section 6.1, without policies and name
 * constraints: a critical extension that is not understood fails). Records the checks `<name> chain`,
 * `<name> validity` and `<name> revocation`.
 *
 * @returns the path, leaf first, when its signatures, names and uses lead to an anchor; else `null`. A path that is
 * expired or revoked is returned, with its check failed.
 */
export async function checkChain(
  crypto: VerifierCrypto,
  recorder: CheckRecorder,
  input: ChainInput,
): Promise<Certificate[] | null> {
  const { name, leaf, at } = input;
  const found = await buildPath(crypto, input);
  const check = `${name} chain`;
  if ("untrusted" in found) recorder.fail(check, "EVIDENCE_ROOT_NOT_TRUSTED", found.untrusted);
  else if ("problem" in found) recorder.fail(check, "EVIDENCE_CHAIN_INVALID", found.problem);
  else
    recorder.require(check, true, "EVIDENCE_CHAIN_INVALID", {
      passed: `${found.path.length} certificates from ${leaf.subjectText} to ${found.anchor.name}`,
      failed: "",
    });
  if (!("path" in found)) return null;
  const outside = found.path.find(({ notBefore, notAfter }) => at < notBefore || at > notAfter);
  const when =
    outside === undefined
      ? ""
      : `${outside.subjectText} is valid from ${outside.notBefore.toISOString()} to ${outside.notAfter.toISOString()}, not at ${at.toISOString()}`;
  recorder.require(`${name} validity`, outside === undefined, "EVIDENCE_EXPIRED", {
    passed: `every certificate is valid at ${at.toISOString()}`,
    failed: when,
  });
  await checkRevocation({ crypto, recorder }, `${name} revocation`, listed(found.path, input.listedBy ?? "issuer"), {
    lists: input.lists ?? [],
    at,
    staleLists: input.staleLists ?? "fail",
  });
  return found.path;
}

function listed(path: readonly Certificate[], by: "issuer" | "root"): Listed[] {
  return path.slice(0, -1).flatMap((certificate, index) => {
    const authority = by === "root" ? path.at(-1) : path[index + 1];
    // A serial number of zero, which AMD gives every endorsement key, names no certificate in another's list.
    return authority === undefined || (by === "root" && /^0+$/.test(certificate.serialHex))
      ? []
      : [{ certificate, by: authority }];
  });
}

type Found =
  | { readonly path: Certificate[]; readonly anchor: TrustAnchor }
  | { readonly problem: string }
  | { readonly untrusted: string };

async function buildPath(crypto: VerifierCrypto, { leaf, intermediates, anchors, at }: ChainInput): Promise<Found> {
  const path = [leaf];
  for (;;) {
    const current = path.at(-1) ?? leaf;
    if (current.unknownCritical.length > 0)
      return {
        problem: `${current.subjectText} has critical extension ${current.unknownCritical.join(", ")}, which is not understood`,
      };
    const issuer = await findIssuer(crypto, current, { candidates: [current, ...intermediates], anchors, at });
    if ("problem" in issuer) return issuer;
    const { certificate, anchor } = issuer;
    if (bytesEqual(certificate.raw, current.raw))
      return { untrusted: `the chain ends in ${current.subjectText}, which is not a trust anchor` };
    const unfit = unfitIssuer(certificate, path.length - 1);
    if (unfit !== undefined) return { problem: unfit };
    if (path.length === MAX_PATH) return { problem: `more than ${MAX_PATH} certificates` };
    path.push(certificate);
    if (anchor !== undefined) return { path, anchor };
  }
}

async function anchorOf(
  crypto: VerifierCrypto,
  certificate: Certificate,
  anchors: readonly TrustAnchor[],
): Promise<TrustAnchor | undefined> {
  let hash: string | undefined;
  let keyHash: string | undefined;
  for (const anchor of anchors) {
    if ("certificateSha256" in anchor) {
      hash ??= await sha256Hex(crypto, certificate.raw);
      if (hash === anchor.certificateSha256) return anchor;
    } else {
      keyHash ??= await sha256Hex(crypto, certificate.spki);
      // A pinned key says nothing about the rest of the certificate, which has to be signed by it then.
      if (keyHash === anchor.spkiSha256 && (await verifySignedBy(crypto, certificate, certificate.spki))) return anchor;
    }
  }
  return undefined;
}

type Issuer = { readonly certificate: Certificate; readonly anchor?: TrustAnchor } | { readonly problem: string };

interface Candidates {
  readonly candidates: readonly Certificate[];
  readonly anchors: readonly TrustAnchor[];
  readonly at: Date;
}

async function findIssuer(
  crypto: VerifierCrypto,
  of: Certificate,
  { candidates, anchors, at }: Candidates,
): Promise<Issuer> {
  const named = candidates.filter(
    ({ subject, raw }, index) =>
      bytesEqual(subject, of.issuer) && candidates.findIndex((other) => bytesEqual(other.raw, raw)) === index,
  );
  if (named.length === 0) return { problem: `no certificate of ${of.issuerText}, which issued ${of.subjectText}` };
  if (named.length > MAX_CANDIDATES) return { problem: `more than ${MAX_CANDIDATES} certificates of ${of.issuerText}` };
  // Renewed and cross-signed certificates share name and key: an anchor comes first, then one valid at the time.
  const valid = (one: Certificate): boolean => at >= one.notBefore && at <= one.notAfter;
  let best: Certificate | undefined;
  for (const certificate of [...named.filter(valid), ...named.filter((one) => !valid(one))]) {
    if (!(await verifySignedBy(crypto, of, certificate.spki))) continue;
    const anchor = await anchorOf(crypto, certificate, anchors);
    if (anchor !== undefined) return { certificate, anchor };
    best ??= certificate;
  }
  return best === undefined
    ? { problem: `${of.subjectText} is not signed by ${of.issuerText}` }
    : { certificate: best };
}

/** Why a certificate may not issue one that has `below` CA certificates under it; `undefined` when it may. */
function unfitIssuer(issuer: Certificate, below: number): string | undefined {
  if (!issuer.isCa) return `${issuer.subjectText} is not a certificate authority`;
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.has("keyCertSign"))
    return `the key of ${issuer.subjectText} is not for signing certificates`;
  if (issuer.pathLength !== undefined && below > issuer.pathLength)
    return `${issuer.subjectText} allows ${issuer.pathLength} authorities below it, the chain has ${below}`;
  return undefined;
}
