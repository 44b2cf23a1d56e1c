/** Identity configurations that `cmcp validate-config` and `cmcp start` refuse. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { deployWithIdentity, IDENTITY } from "../gateway/identity.ts";

/** As a coordinate of P-256 it has the right length, and as both it makes no point of the curve. */
const NO_POINT = Buffer.alloc(32, 1).toString("base64url");

const FETCHED = {
  jwks_uri: "https://login.bank.example/keys",
  jwks_fetch: { pins: [`SHA256:${Buffer.alloc(32).toString("base64")}`] },
};

describe("a wrong identity configuration is refused, by the check and by the start", () => {
  const [issuer] = IDENTITY.jwt;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const cases: Record<string, readonly [object, RegExp]> = {
    "a misspelled key": [
      { ...IDENTITY, jwts: [] },
      /enclave\.identity\.jwts: unknown key; the nearest known key is enclave\.identity\.jwt$/,
    ],
    "an algorithm of shared secrets": [
      { ...IDENTITY, jwt: [{ ...issuer, algorithms: ["HS256"] }] },
      /enclave\.identity\.jwt\.0\.algorithms/,
    ],
    "an address to fetch keys from beside keys": [
      { ...IDENTITY, jwt: [{ ...issuer, ...FETCHED }] },
      /enclave\.identity\.jwt\.0\.jwks: needs either jwks, or jwks_uri with jwks_fetch/,
    ],
    "an address to fetch keys from without trust in its server": [
      { ...IDENTITY, jwt: [{ ...issuer, jwks: null, jwks_uri: FETCHED.jwks_uri }] },
      /enclave\.identity\.jwt\.0\.jwks: needs either jwks, or jwks_uri with jwks_fetch/,
    ],
    "an address without TLS": [
      { ...IDENTITY, jwt: [{ ...issuer, ...FETCHED, jwks: null, jwks_uri: "http://login.bank.example/keys" }] },
      /enclave\.identity\.jwt\.0\.jwks_uri: must be an https URL/,
    ],
    "roots that are not there": [
      {
        ...IDENTITY,
        jwt: [{ ...issuer, ...FETCHED, jwks: null, jwks_fetch: { trust: "private-ca", roots: ["nobody"] } }],
      },
      /roots (named )?"nobody"/,
    ],
    "a pin that is none": [
      { ...IDENTITY, jwt: [{ ...issuer, ...FETCHED, jwks: null, jwks_fetch: { pins: ["SHA256:AAAA"] } }] },
      /enclave\.identity\.jwt\.0\.jwks_fetch\.pins\.0: must be SHA256:/,
    ],
    "a private key": [
      { ...IDENTITY, jwt: [{ ...issuer, jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "k" }] } }] },
      /enclave\.identity\.jwt\.0\.jwks\.keys\.0/,
    ],
    "a key whose point is on no curve": [
      {
        ...IDENTITY,
        jwt: [
          {
            ...issuer,
            jwks: { keys: [{ kty: "EC", crv: "P-256", kid: "k", alg: "ES256", x: NO_POINT, y: NO_POINT }] },
          },
        ],
      },
      /key k of https:\/\/login\.bank\.example\/ is not a public key$/,
    ],
    "a principal that is not measured": [
      { ...IDENTITY, jwt: [{ ...issuer, subjects: [{ subject: "x", principal: "nobody" }] }] },
      /names the principal nobody/,
    ],
  };
  for (const [what, [identity, says]] of Object.entries(cases)) {
    test(what, async () => {
      const folder = await mkdtemp(join(tmpdir(), "cmcp-identity-refused-"));
      try {
        const config = await deployWithIdentity(
          join(folder, "d"),
          { port: 1, fingerprint: `SHA256:${Buffer.alloc(32).toString("base64")}` },
          identity,
        );
        for (const command of ["validate-config", "start"]) {
          const run = await cmcp([command, "--config", config, "--json"], { CMCP_DEV_MODE: "1" });
          const { error } = JSON.parse(run.stdout) as { error: { code: string; message: string } };
          assert.deepEqual([run.code, error.code], [10, "CONFIG_INVALID"], `${command}: ${error.message}`);
          assert.match(error.message, says);
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});
