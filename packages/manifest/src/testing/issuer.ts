import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { canonicalBytes, toHex, type JsonObject } from "@cmcp/boundary";
import { bytesHead } from "../cbor.ts";
import type { ManifestAnchor } from "../anchors.ts";
import { SIGNED_MEMBERS, withoutNulls } from "../members.ts";

/** PKCS #8 of an Ed25519 key but for its 32 bytes (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** What a full binding names beside policy and catalog. */
export const OTHER_ARTIFACTS: JsonObject = {
  system_prompt: { hash: `sha256:${"1".repeat(64)}` },
  model_identity: { model_hash: null, version: "model-1", deployment_type: "api" },
};

/** Members of a manifest that a gateway takes under the given hashes. */
export function manifestMembers(more: JsonObject = {}): JsonObject {
  return {
    "@context": "https://manifest.agentrust-io.com/v0.2/context.json",
    "@type": "AgentManifest",
    manifest_id: "018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5c",
    agent_id: "spiffe://bank.example/agents/desk",
    version: "0.1",
    issued_at: "2026-11-01T00:00:00Z",
    expires_at: "2026-12-01T00:00:00Z",
    issuer: "spiffe://bank.example/issuers/desk",
    crypto_profile: "standard",
    artifacts: {
      ...OTHER_ARTIFACTS,
      policy_bundle: { hash: `sha256:${"a".repeat(64)}`, policy_language: "cedar", enforcement_mode: "enforce" },
      tool_manifest: { catalog_hash: `sha256:${"b".repeat(64)}` },
    },
    intent: { statement: "reads tickets" },
    ...more,
  };
}

/** Signs manifests as the public package does. */
export class ManifestIssuer {
  readonly #key: KeyObject;
  /** 32 bytes, base64url. */
  readonly publicKey: string;
  readonly keyId: string;

  /** @param seed one byte, of which the key is made */
  constructor(seed = 1) {
    this.#key = createPrivateKey({
      key: Buffer.concat([PKCS8, Buffer.alloc(32, seed)]),
      format: "der",
      type: "pkcs8",
    });
    this.publicKey = createPublicKey(this.#key).export({ format: "jwk" }).x ?? "";
    this.keyId = createHash("sha256").update(Buffer.from(this.publicKey, "base64url")).digest("hex");
  }

  get anchor(): ManifestAnchor {
    return { public_key: this.publicKey };
  }

  sign(message: Uint8Array): Buffer {
    return sign(null, message, this.#key);
  }

  /** A detached signature over members without null values. */
  block(members: JsonObject): JsonObject {
    const signed = withoutNulls(
      Object.fromEntries(Object.entries(members).filter(([name]) => SIGNED_MEMBERS.includes(name))),
    );
    return {
      algorithm: "Ed25519",
      key_id: this.keyId,
      key_type: "software",
      signed_at: "2026-11-01T00:00:00Z",
      signature_value: this.sign(canonicalBytes(signed)).toString("base64url"),
    };
  }

  /** A manifest with a detached signature. */
  json(members: JsonObject = manifestMembers()): Buffer {
    return Buffer.from(JSON.stringify({ ...members, signature: this.block(members) }));
  }

  /** A COSE_Sign1. @param parts what is written in place of the parts of a sound one */
  cose(
    members: JsonObject = manifestMembers({ version: "0.2" }),
    parts: { readonly header?: Uint8Array; readonly unprotected?: Uint8Array; readonly payload?: Uint8Array } = {},
  ): Buffer {
    const { header = this.header(), unprotected = Buffer.from("a0", "hex") } = parts;
    const payload = parts.payload ?? canonicalBytes(members);
    const signed = Buffer.concat([
      Buffer.from("846a", "hex"),
      Buffer.from("Signature1"),
      bstr(header),
      bstr(Buffer.alloc(0)),
      bstr(payload),
    ]);
    return Buffer.concat([
      Buffer.from("d284", "hex"),
      bstr(header),
      unprotected,
      bstr(payload),
      bstr(this.sign(signed)),
    ]);
  }

  /** A protected header. @param alg its algorithm as encoded CBOR, in hex; Ed25519 by default */
  header(alg = "32", typ = "application/agent-manifest+cose"): Buffer {
    const text = (value: string): string =>
      `78${toHex(Uint8Array.of(value.length))}${Buffer.from(value).toString("hex")}`;
    return Buffer.from(
      `a401${alg}03${text("application/agent-manifest+json")}045820${this.keyId}10${text(typ)}`,
      "hex",
    );
  }
}

function bstr(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(bytesHead(bytes.length)), bytes]);
}
