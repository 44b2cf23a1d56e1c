import assert from "node:assert/strict";
import { test } from "node:test";
import { ISSUER, settings, testKey } from "../testing/issuer.ts";
import type { ProofFault } from "../dpop/fault.ts";
import { identitySchema } from "../schema.ts";
import { challenge } from "./challenge.ts";
import { isResource, metadataPaths, metadataUrl } from "./identifier.ts";
import { resourceMetadata } from "./metadata.ts";

const KEY = testKey("ES256");
const CONFIGURED = settings([KEY], {}, { scopes_supported: ["mcp:call"] });
const BOUND_ONLY = settings([KEY], { require_dpop: true });
const NOTHING = identitySchema.parse({});

// RFC 9728 section 3.1 has both of the first two.
const PLACES: readonly (readonly [string, string])[] = [
  ["https://resource.example.com", "https://resource.example.com/.well-known/oauth-protected-resource"],
  [
    "https://resource.example.com/resource1",
    "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
  ],
  ["https://resource.example.com/", "https://resource.example.com/.well-known/oauth-protected-resource"],
  [
    "https://gateway.bank.example:8443/mcp",
    "https://gateway.bank.example:8443/.well-known/oauth-protected-resource/mcp",
  ],
];

test("the document lies between host and path of the resource", () => {
  for (const [resource, url] of PLACES) assert.equal(metadataUrl(resource), url);
  assert.deepEqual(metadataPaths("https://a.example/mcp"), [
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource",
  ]);
  assert.deepEqual(metadataPaths("https://a.example"), ["/.well-known/oauth-protected-resource"]);
});

test("a resource is an https URL without query and fragment", () => {
  for (const text of [
    "https://a.example",
    "https://a.example/mcp",
    "http://127.0.0.1:8443/mcp",
    "http://localhost/mcp",
    "http://[::1]:1/mcp",
  ])
    assert.equal(isResource(text), true, text);
  for (const text of [
    "http://a.example/mcp",
    "https://a.example/mcp#x",
    "https://a.example/mcp?x",
    "https://a.example/mcp?",
    "https://u:p@a.example/",
    "ftp://a.example",
    "a.example",
    "",
  ])
    assert.equal(isResource(text), false, text);
});

test("the document names the resource, its issuers and how tokens are sent", () => {
  assert.deepEqual(resourceMetadata(CONFIGURED), {
    resource: "https://gateway.bank.example/mcp",
    authorization_servers: [ISSUER],
    bearer_methods_supported: ["header"],
    scopes_supported: ["mcp:call"],
    dpop_signing_alg_values_supported: ["EdDSA", "ES256", "ES384", "RS256", "PS256", "Ed25519"],
  });
  assert.equal(resourceMetadata(BOUND_ONLY)?.dpop_bound_access_tokens_required, true);
  assert.equal("scopes_supported" in (resourceMetadata(settings([KEY])) ?? {}), false);
  assert.equal(resourceMetadata(NOTHING), null);
  assert.equal(
    resourceMetadata(identitySchema.parse({ resource: "https://a.example/mcp" })),
    null,
    "nothing to say about provisioned tokens",
  );
});

test("the challenge tells where the document is, and an error only where a token was sent", () => {
  const metadata = 'resource_metadata="https://gateway.bank.example/.well-known/oauth-protected-resource/mcp"';
  assert.equal(challenge({ kind: "missing" }, CONFIGURED), `Bearer ${metadata}`);
  assert.equal(challenge({ kind: "invalid" }, CONFIGURED), `Bearer error="invalid_token", ${metadata}`);
  assert.equal(
    challenge({ kind: "scope", scopes: "read settle" }, CONFIGURED),
    `Bearer error="insufficient_scope", scope="read settle", ${metadata}`,
  );
  const algorithms = 'algs="EdDSA ES256 ES384 RS256 PS256 Ed25519"';
  const proven = (fault: ProofFault): string => challenge({ kind: "proof", fault }, CONFIGURED);
  assert.equal(proven("nonce"), `DPoP error="use_dpop_nonce", ${metadata}, ${algorithms}`);
  assert.equal(proven("replayed"), `DPoP error="invalid_dpop_proof", ${metadata}, ${algorithms}`);
  assert.equal(proven("missing"), `DPoP error="invalid_token", ${metadata}, ${algorithms}`);
  assert.equal(challenge({ kind: "missing" }, BOUND_ONLY), `Bearer ${metadata}, DPoP ${algorithms}`);
  assert.equal(challenge({ kind: "missing" }, NOTHING), "Bearer");
  assert.equal(challenge({ kind: "invalid" }, NOTHING), 'Bearer error="invalid_token"');
  const odd = settings([KEY], {}, { resource: 'https://a.example/x"y\\z' });
  assert.doesNotMatch(
    challenge({ kind: "missing" }, odd).slice('Bearer resource_metadata="'.length, -1),
    /["\\]/,
    "no text of the configuration ends the quotation",
  );
});
