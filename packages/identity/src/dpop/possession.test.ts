import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { calculateJwkThumbprint } from "jose";
import type { AuthenticatedCaller } from "../authenticated-caller.ts";
import { NO_KEYS } from "../jwks/remote-keys.ts";
import { JwtAuthenticator } from "../jwt/authenticator.ts";
import { ES256 } from "../testing/authenticator.ts";
import { AUDIENCE, goodClaims, NOW, settings, token } from "../testing/issuer.ts";
import { bareJwk, proof, SENDER, type ProofChanges } from "../testing/proof.ts";
import { ProofFreshness } from "./freshness.ts";
import { ProofOfPossession, type Presentation } from "./possession.ts";
import { requestTargets } from "./target.ts";

const JKT = await calculateJwkThumbprint(bareJwk(SENDER));
const BOUND = token(ES256, goodClaims({ cnf: { jkt: JKT } }));
const FREE = token(ES256, goodClaims());

async function scene(rest: Record<string, unknown> = {}) {
  const possession = new ProofOfPossession(AUDIENCE, new ProofFreshness(() => 0));
  const jwt = await JwtAuthenticator.of(settings([ES256], rest), () => NOW, {
    possession,
    remoteKeys: () => NO_KEYS,
    bundles: {},
  });
  const enter = async (accessToken: string, presented: Partial<Presentation>): Promise<AuthenticatedCaller> =>
    await jwt.authenticate(accessToken, { scheme: "dpop", proof: null, method: "POST", path: "/mcp", ...presented });
  const prove = (changes?: ProofChanges): string => proof(BOUND, possession.nonce, changes);
  return { enter, prove };
}

const reason = async (entering: Promise<AuthenticatedCaller>): Promise<unknown> =>
  await entering.then(
    () => "let in",
    (thrown: unknown) => {
      assert.ok(thrown instanceof CmcpError && thrown.code === "UNAUTHENTICATED", String(thrown));
      return thrown.detail.proof ?? thrown.detail.reason;
    },
  );

test("a bound token with the proof of its key lets its sender in, once a proof", async () => {
  const { enter, prove } = await scene();
  const once = prove();
  assert.equal((await enter(BOUND, { proof: once })).thumbprint, JKT);
  assert.equal(await reason(enter(BOUND, { proof: once })), "replayed");
  assert.equal(await reason(enter(BOUND, { proof: prove() })), "let in");
});

test("a bound token without a proof, or as a bearer token, is refused", async () => {
  const { enter, prove } = await scene();
  assert.equal(await reason(enter(BOUND, {})), "missing");
  assert.equal(await reason(enter(BOUND, { scheme: "bearer" })), "missing");
  assert.equal(await reason(enter(BOUND, { scheme: "bearer", proof: prove() })), "missing");
});

test("a proof beside a plain bearer token is refused by name", async () => {
  const { enter } = await scene();
  const nonce = "n";
  assert.equal(await reason(enter(FREE, { proof: proof(FREE, nonce) })), "unbound");
  assert.equal(await reason(enter(FREE, { scheme: "bearer", proof: proof(FREE, nonce) })), "unbound");
  assert.equal(await reason(enter(FREE, {})), "unbound");
  assert.equal((await enter(FREE, { scheme: "bearer" })).thumbprint, null);
});

test("a proof needs this instance's nonce, whatever its own time says", async () => {
  const { enter, prove } = await scene();
  for (const nonce of [undefined, "", "x".repeat(22), new ProofFreshness(() => 0).nonce])
    assert.equal(await reason(enter(BOUND, { proof: prove({ claims: { nonce, iat: NOW / 1_000 } }) })), "nonce");
  for (const iat of [0, NOW / 1_000, 1e12])
    assert.equal(await reason(enter(BOUND, { proof: prove({ claims: { iat } }) })), "let in");
});

test("an issuer may be held to bound tokens", async () => {
  const { enter, prove } = await scene({ require_dpop: true });
  assert.equal(await reason(enter(FREE, { scheme: "bearer" })), "unbound");
  assert.equal(await reason(enter(BOUND, { proof: prove() })), "let in");
});

test("a binding of another kind, or of another form, is refused", async () => {
  const { enter, prove } = await scene();
  for (const cnf of [
    { jkt: "x" },
    { jkt: 5 },
    {},
    null,
    "x",
    [JKT],
    { "x5t#S256": JKT },
    { jkt: JKT, jwk: {} },
    { kid: "k" },
  ])
    assert.equal(
      await reason(enter(token(ES256, goodClaims({ cnf })), { proof: prove() })),
      "bound",
      JSON.stringify(cnf),
    );
});

test("the address is that of the measured resource, with the path of the request", async () => {
  assert.deepEqual(requestTargets("https://gw.example/mcp", "/mcp"), [
    "https://gw.example/mcp",
    "https://gw.example/mcp",
  ]);
  assert.deepEqual(requestTargets("https://gw.example/a/mcp", "/mcp/billing"), ["https://gw.example/a/mcp/billing"]);
  assert.deepEqual(requestTargets("https://gw.example/mcp", "/audit/export"), ["https://gw.example/audit/export"]);
  assert.deepEqual(requestTargets("https://gw.example/a/mcp", "/audit/export"), ["https://gw.example/a/audit/export"]);
  assert.deepEqual(requestTargets("https://gw.example", "/mcp"), ["https://gw.example/mcp", "https://gw.example/"]);
  const { enter, prove } = await scene();
  assert.equal(await reason(enter(BOUND, { path: "/audit/export", proof: prove() })), "address");
  const there = prove({ claims: { htu: "https://gateway.bank.example/audit/export" } });
  assert.equal(await reason(enter(BOUND, { path: "/audit/export", proof: there })), "let in");
});
