import { createPublicKey, verify } from "node:crypto";
import { canonicalBytes, CmcpError, fromBase64Url, fromHex, schemaProblem, type JsonObject } from "@cmcp/boundary";
import * as z from "zod";
import { MAX_OF_SERVER, MAX_TEXT } from "../limits.ts";
import type { CatalogServer } from "../server.ts";
import { PROVENANCE_KINDS, type Provenance, type ProvenanceKind } from "./provenance.ts";

const FORMAT = "agentrust-io/mcp-server-provenance/1";
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

const text = z.string().min(1).max(MAX_TEXT);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 lowercase hex digits");
/** An Ed25519 key (RFC 8037). What else it has says nothing of the key. */
const jwk = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string().max(64) });

const record = z.strictObject({
  format: z.literal(FORMAT),
  kind: z.enum(PROVENANCE_KINDS),
  issued_at: z.int().min(0),
  identity: z
    .strictObject({
      artifact: z.strictObject({ package: text, digest }).optional(),
      endpoint: z.strictObject({ url: text, spki_sha256: digest }).optional(),
    })
    .refine(({ artifact, endpoint }) => artifact !== undefined || endpoint !== undefined, {
      error: "names neither an artifact nor an endpoint",
    }),
  publisher: z
    .string()
    .max(256)
    .regex(/^(?:did:[a-z0-9]+:|spiffe:\/\/[^/\s]+\/)[\x21-\x7e]+$/, "must be a DID or a SPIFFE ID"),
  tool_catalog: z.strictObject({ hash: digest, tool_count: z.int().min(0).max(MAX_OF_SERVER) }),
  attestation: z.null(),
  cnf: z.strictObject({ jwk }),
  signature: z.string().max(128),
});

/** How a named server's `provenance` is written: a record, and the key that its publisher or observer is known by. */
export const provenanceSchema = z.strictObject({ record: z.record(z.string(), z.json()), publisher_jwk: jwk });
type Written = z.infer<typeof provenanceSchema>;

/** A record as it is signed, and what it says. */
type ReadRecord = z.infer<typeof record>;
type Refuse = (why: string) => never;

function checkSignature(
  signed: JsonObject,
  { cnf, signature }: ReadRecord,
  key: Written["publisher_jwk"],
  refuse: Refuse,
): void {
  const [expected, own] = [fromBase64Url(key.x), fromBase64Url(cnf.jwk.x)];
  if (expected?.length !== KEY_BYTES) return refuse("publisher_jwk is not an Ed25519 key");
  if (own === undefined || Buffer.compare(own, expected) !== 0)
    return refuse("the record is signed by another key than publisher_jwk");
  const bytes = fromBase64Url(signature);
  const { signature: _, ...unsigned } = signed;
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key.x }, format: "jwk" });
  if (bytes?.length !== SIGNATURE_BYTES || !verify(null, canonicalBytes(unsigned), publicKey, bytes))
    refuse("the signature of the record does not verify");
}

/** Holds what a record is about to the server of its entry: a remote one by URL and key, a stdio one by the digest of its files. */
function checkIdentity({ identity: { artifact, endpoint } }: ReadRecord, server: CatalogServer, refuse: Refuse): void {
  if (server.transport === "stdio") {
    if (artifact === undefined) return refuse("the record names no artifact, and a stdio server has no endpoint");
    if (artifact.digest !== server.spawn.binary_digest)
      refuse("the artifact's digest is not the server's binary_digest");
    return;
  }
  if (server.transport === "gateway") return refuse("the gateway has no record");
  if (endpoint === undefined) return refuse("the record names no endpoint");
  if (URL.parse(endpoint.url)?.href !== server.url.href) return refuse("the record is about another url");
  if (server.trust?.kind !== "pinned") return refuse("a record about an endpoint is for a server that is pinned");
  const key = fromHex(endpoint.spki_sha256.slice("sha256:".length));
  if (key === undefined || Buffer.compare(key, server.trust.spkiSha256) !== 0)
    refuse("the record is about another key than tls_fingerprint");
}

/**
 * Reads a server's `provenance` (MCP Server Provenance Record v1, section 5, steps 1 to 3). `issued_at` is not compared with a clock: the
 * record is part of the measured catalog, and whoever approved that weighed its age.
 *
 * @throws CmcpError `CATALOG_INVALID` for a record that is malformed, signed by another key, or about another server;
 *   `CONFIG_NOT_SUPPORTED` for one that is `tee-attested`
 */
export function readProvenance({ record: signed, publisher_jwk: key }: Written, server: CatalogServer): Provenance {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `catalog server ${server.name}: provenance: ${why}`);
  };
  if (signed["kind"] === "tee-attested")
    throw new CmcpError(
      "CONFIG_NOT_SUPPORTED",
      `catalog server ${server.name}: provenance: \`tee-attested\`: this version does not verify the evidence of servers`,
    );
  const parsed = record.safeParse(signed);
  if (!parsed.success) return refuse(`the record: ${schemaProblem(parsed.error).text}`);
  const { kind, publisher, tool_catalog: tools } = parsed.data;
  checkSignature(signed, parsed.data, key, refuse);
  checkIdentity(parsed.data, server, refuse);
  return { kind, publisher, tools: { hash: tools.hash, count: tools.tool_count } };
}

/**
 * Requires a record of at least this kind of every server.
 *
 * @param required `undefined` where none is required
 * @throws CmcpError `CATALOG_INVALID`, naming the first server without one
 */
export function requireProvenance(servers: readonly CatalogServer[], required: ProvenanceKind | undefined): void {
  if (required === undefined) return;
  const rank = (kind: ProvenanceKind | undefined): number => (kind === undefined ? -1 : PROVENANCE_KINDS.indexOf(kind));
  for (const { name, settings } of servers) {
    const kind = settings?.provenance?.kind;
    if (rank(kind) < rank(required))
      throw new CmcpError(
        "CATALOG_INVALID",
        `server ${name}: attestation.required_provenance_kind is ${required}, and its provenance is ${kind ?? "none"}`,
      );
  }
}
