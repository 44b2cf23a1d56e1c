import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { calculateJwkThumbprint } from "jose";
import { AUDIENCE, testKey, token, type TestKey } from "../testing/issuer.ts";
import { bareJwk, proof, SENDER, type ProofChanges } from "../testing/proof.ts";
import type { ProofFault } from "./fault.ts";
import { checkProof, type ProofPurpose } from "./proof.ts";

const TOKEN = "an.access.token";
const thumbprintOf = async (key: TestKey): Promise<string> => await calculateJwkThumbprint(bareJwk(key));
const PURPOSE: ProofPurpose = {
  method: "POST",
  targets: [AUDIENCE],
  token: TOKEN,
  thumbprint: await thumbprintOf(SENDER),
};

async function refused(text: string, because: ProofFault, purpose: ProofPurpose = PURPOSE): Promise<void> {
  await assert.rejects(
    checkProof(text, purpose),
    (thrown) => {
      assert.ok(thrown instanceof CmcpError && thrown.code === "UNAUTHENTICATED", String(thrown));
      assert.equal(thrown.detail.proof, because);
      return true;
    },
    because,
  );
}

const changed = async (because: ProofFault, ...all: readonly ProofChanges[]): Promise<void> => {
  for (const changes of all) await refused(proof(TOKEN, "n", changes), because);
};

// RFC 9449: figures 2 and 12 are proofs of one key, the second one with `ath`.
const RFC_KEY =
  "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQy" +
  "VVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
const RFC_PROOF =
  `${RFC_KEY}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90` +
  "ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9" +
  ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const RFC_TOKEN_PROOF =
  `${RFC_KEY}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2Vu` +
  "IiwiaWF0IjoxNTYyMjYyNjE2fQ" +
  ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
const RFC_PURPOSE: ProofPurpose = {
  method: "GET",
  targets: ["https://resource.example.org/protectedresource"],
  token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
  thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
};

test("the proofs of RFC 9449 are read as it says", async () => {
  assert.equal((await checkProof(RFC_PROOF, RFC_PURPOSE)).nonce, "", "it has no nonce");
  await refused(RFC_PROOF, "method", { ...RFC_PURPOSE, method: "POST" });
  await refused(RFC_PROOF, "address", { ...RFC_PURPOSE, targets: ["https://resource.example.org/"] });
  await refused(RFC_PROOF, "token", { ...RFC_PURPOSE, token: `${RFC_PURPOSE.token}x` });
  await refused(RFC_PROOF, "binding", { ...RFC_PURPOSE, thumbprint: PURPOSE.thumbprint });
  await refused(RFC_TOKEN_PROOF, "claims", { ...RFC_PURPOSE, method: "POST" });
});

test("a proof of any algorithm of the list holds, and tells itself from every other", async () => {
  const ids = new Set<string>();
  for (const alg of ["ES256", "ES384", "EdDSA", "RS256", "PS256"] as const) {
    const key = testKey(alg, "");
    const purpose = { ...PURPOSE, thumbprint: await thumbprintOf(key) };
    const { nonce, id } = await checkProof(proof(TOKEN, "n", { key }), purpose);
    assert.equal(nonce, "n");
    ids.add(id);
  }
  assert.equal(ids.size, 5);
  const ed25519 = testKey("EdDSA", "");
  const named = proof(TOKEN, "n", { key: ed25519, header: { alg: "Ed25519" } });
  await checkProof(named, { ...PURPOSE, thumbprint: await thumbprintOf(ed25519) });
  const again = proof(TOKEN, "n", { claims: { jti: "one" } });
  assert.equal((await checkProof(again, PURPOSE)).id, (await checkProof(again, PURPOSE)).id);
});

test("form, type and algorithm are those of RFC 9449, and nothing else is a proof", async () => {
  const good = proof(TOKEN, "n");
  const [head = "", body = "", signature = ""] = good.split(".");
  for (const text of [
    "",
    ".",
    "a.b.c",
    `${good}.x`,
    `${good} ${good}`,
    `${good}=`,
    `${head}.${body}`,
    "a".repeat(5_000),
  ])
    await refused(text, "form");
  await refused(`${head}.${body}.${signature}${"A".repeat(4_000)}`, "form");
  await refused(token(SENDER, '{"jti":"a","jti":"b"}', { typ: "dpop+jwt", jwk: bareJwk(SENDER) }), "form");
  await changed("form", { header: { crit: ["b64"], b64: false } });
  await changed("type", { header: { typ: "JWT" } }, { header: { typ: undefined } }, { header: { typ: "DPOP+JWT" } });
  await changed("algorithm", { header: { alg: "none" } }, { header: { alg: "HS256" } }, { header: { alg: "ES512" } });
});

test("the key is a public one of a known kind, for its algorithm", async () => {
  const rsa = testKey("RS256", "");
  const jwk = bareJwk(SENDER);
  await changed(
    "key",
    { header: { jwk: undefined } },
    { header: { jwk: "x" } },
    { header: { jwk: [jwk] } },
    { header: { jwk: { kty: "EC", crv: "P-256", x: jwk["x"] } } },
    { header: { jwk: { ...jwk, x: Buffer.alloc(32, 1).toString("base64url") } } },
    { header: { jwk: bareJwk(rsa) } },
    { header: { jwk: { ...bareJwk(rsa), e: "AQ" }, alg: "RS256" } },
    { header: { jwk: { ...bareJwk(rsa), n: "AQAB" }, alg: "RS256" } },
  );
  await changed(
    "private",
    { header: { jwk: SENDER.privateKey.export({ format: "jwk" }) } },
    { header: { jwk: { ...jwk, d: "" } } },
    { header: { jwk: { kty: "oct", k: "AAAA" } } },
  );
});

test("another key's signature, or none, is no proof", async () => {
  const stranger = testKey("ES256", "");
  await changed("signature", { key: stranger, header: { jwk: bareJwk(SENDER) } });
  const [head = "", body = ""] = proof(TOKEN, "n").split(".");
  await refused(`${head}.${body}.`, "signature");
  await changed("binding", { key: stranger });
});

test("a proof is for one method, one address and one token", async () => {
  const missing = ["jti", "htm", "htu", "iat", "ath"].map((name) => ({ claims: { [name]: undefined } }));
  await changed("claims", ...missing, { claims: { jti: "" } }, { claims: { jti: "x".repeat(257) } });
  await changed("claims", { claims: { iat: "0" } }, { claims: { nonce: 5 } }, { claims: { ath: [] } });
  await changed("method", { claims: { htm: "GET" } }, { claims: { htm: "post" } });
  await changed("token", { claims: { ath: "x" } });
  const elsewhere = ["https://gateway.bank.example/", "http://gateway.bank.example/mcp", "/mcp", `${AUDIENCE}/x`];
  const odd = [
    "https://a@gateway.bank.example/mcp",
    "https://gateway.bank.example:8443/mcp",
    "https://GATEWAY.bank.example.evil/mcp",
  ];
  await changed("address", ...[...elsewhere, ...odd].map((htu) => ({ claims: { htu } })));
  for (const htu of [
    `${AUDIENCE}?a=1#b`,
    "HTTPS://Gateway.Bank.Example:443/mcp",
    "https://gateway.bank.example/x/../mcp",
  ])
    await checkProof(proof(TOKEN, "n", { claims: { htu } }), PURPOSE);
});
