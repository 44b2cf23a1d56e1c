/** Records of provenance for tests, as a publisher signs them. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { canonicalBytes, type JsonObject } from "@cmcp/boundary";
import { toolListHash } from "../provenance/tool-list.ts";

/** Who signs records. */
export interface Publisher {
  /** The members of a public JWK. */
  readonly jwk: JsonObject;
  readonly key: KeyObject;
}

export function newPublisher(): Publisher {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return { jwk: { kty: "OKP", crv: "Ed25519", x }, key: privateKey };
}

/** Signs a record whose other members are as given. */
export function signRecord({ jwk, key }: Publisher, members: JsonObject): JsonObject {
  const unsigned = { ...members, cnf: { jwk } };
  return { ...unsigned, signature: sign(null, canonicalBytes(unsigned), key).toString("base64url") };
}

/** The unsigned members of a record about a server with these tools. */
export function recordMembers(identity: JsonObject, tools: readonly JsonObject[]): JsonObject {
  return {
    format: "agentrust-io/mcp-server-provenance/1",
    kind: "publisher-asserted",
    issued_at: 1_760_000_000,
    identity,
    publisher: "did:web:acme.example",
    tool_catalog: { hash: toolListHash(tools), tool_count: tools.length },
    attestation: null,
  };
}
