import { readKeyPin, readSpiffeId, type SpiffeId } from "@cmcp/boundary";
import type { EntryServer } from "./entry/shape.ts";

/** How a server that is reached over TLS is known. Keys are SHA-256 of SubjectPublicKeyInfos, 32 bytes. */
export type ServerTrust =
  /** By its own key. */
  | { readonly kind: "pinned"; readonly spkiSha256: Uint8Array }
  /** By the roots that are compiled into the measured Node. `issuerPins`: one of them must be above the server; empty: any authority. */
  | { readonly kind: "webpki"; readonly issuerPins: readonly Uint8Array[] }
  /** By roots of the launch document, by their names in `enclave.server_roots`. */
  | { readonly kind: "private-ca"; readonly roots: readonly string[]; readonly issuerPins: readonly Uint8Array[] }
  /** By its SPIFFE ID, under the bundle that `enclave.spiffe_bundles` has of its trust domain. */
  | { readonly kind: "spiffe"; readonly id: SpiffeId };

/** The members of an entry that say how a server is known. */
type TrustMembers = Pick<EntryServer, "trust" | "tls_fingerprint" | "issuer_pins" | "roots" | "spiffe_id">;

/** Refuses an entry with a message. */
type Refuse = (why: string) => never;

/** One character repeated, as template catalogs have it: "not recorded yet". */
function isPlaceholder(fingerprint: string): boolean {
  return /^SHA256:(.)\1*=?$/.test(fingerprint);
}

function readKey(member: string, fingerprint: string, refuse: Refuse): Uint8Array {
  return readKeyPin(fingerprint) ?? refuse(`${member} is not canonical base64 of 32 bytes`);
}

/** The trust of a server without an authority. `null` where nothing is pinned, or there is no TLS to hold it to. */
function readPinned(server: TrustMembers, url: URL, refuse: Refuse): ServerTrust | null {
  if (server.issuer_pins !== undefined) return refuse("`issuer_pins` is for trust webpki and private-ca");
  if (server.roots !== undefined) return refuse("`roots` is for trust private-ca");
  const { tls_fingerprint: fingerprint } = server;
  if (fingerprint === undefined || isPlaceholder(fingerprint)) return null;
  const spkiSha256 = readKey("tls_fingerprint", fingerprint, refuse);
  return url.protocol === "https:" ? { kind: "pinned", spkiSha256 } : null;
}

/** The trust of a server with an X.509-SVID. */
function readSpiffe({ spiffe_id: written, roots, issuer_pins: pins }: TrustMembers, refuse: Refuse): ServerTrust {
  if (roots !== undefined || pins !== undefined)
    return refuse("`roots` and `issuer_pins` are not for trust spiffe: the bundle of the trust domain vouches");
  const id = readSpiffeId(written ?? "");
  return id === null || id.path === ""
    ? refuse("trust spiffe needs `spiffe_id`: spiffe://, a trust domain and a path")
    : { kind: "spiffe", id };
}

/**
 * How the server of an entry is known; `null` where nothing says it. Without `trust` it is by its key.
 *
 * @param refuse - refuses an entry whose members contradict one another
 */
export function readTrust(server: TrustMembers, url: URL, refuse: Refuse): ServerTrust | null {
  const { trust: kind = "pinned", tls_fingerprint: fingerprint, roots, spiffe_id: spiffeId } = server;
  if (spiffeId != null && kind !== "spiffe") return refuse("`spiffe_id` is for trust spiffe");
  if (kind === "pinned") return readPinned(server, url, refuse);
  if (kind === "attested") return refuse("trust attested is not supported");
  if (url.protocol !== "https:") return refuse(`trust ${kind} needs an https url`);
  if (fingerprint !== undefined && !isPlaceholder(fingerprint))
    return refuse(`tls_fingerprint is not looked at under trust ${kind}: leave it out, or pin the server`);
  if (kind === "spiffe") return readSpiffe(server, refuse);
  const issuerPins = (server.issuer_pins ?? []).map((pin) => readKey("issuer_pins", pin, refuse));
  if (kind === "private-ca")
    return roots === undefined
      ? refuse("trust private-ca needs `roots`: names of enclave.server_roots")
      : { kind, roots, issuerPins };
  if (roots !== undefined) return refuse("`roots` is for trust private-ca");
  return { kind, issuerPins };
}

function sameKeys(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  return (
    left.length === right.length &&
    left.every((key, index) => Buffer.compare(key, right[index] ?? new Uint8Array()) === 0)
  );
}

/** Whether two entries know a server alike. */
export function sameTrust(left: ServerTrust | null, right: ServerTrust | null): boolean {
  if (left === null || right === null) return left === right;
  if (left.kind === "pinned") return right.kind === "pinned" && sameKeys([left.spkiSha256], [right.spkiSha256]);
  if (left.kind === "spiffe") return right.kind === "spiffe" && left.id.text === right.id.text;
  if (right.kind !== left.kind || !sameKeys(left.issuerPins, right.issuerPins)) return false;
  return left.kind === "webpki" || (right.kind === "private-ca" && left.roots.join(" ") === right.roots.join(" "));
}
