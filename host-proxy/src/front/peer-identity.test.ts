import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { assertedIdentity, peerIdentityHeader } from "./peer-identity.ts";

const ID = "spiffe://bank.example/agent/1";
const ASSERTED = { "x-cmcp-host-asserted-spiffe-id": ID };
const XFCC = "x-forwarded-client-cert";

test("without a proxy's header configured, or with nothing in it, the host says nothing", () => {
  assert.deepEqual(assertedIdentity(["X-Spiffe-Id", ID, "X-Cmcp-Host-Asserted-Spiffe-Id", ID], undefined), {});
  assert.deepEqual(assertedIdentity(["X-Cmcp-Host-Asserted-Spiffe-Id", ID, "other", ID], "x-spiffe-id"), {});
});

test("what the configured header says becomes the host's word", () => {
  assert.deepEqual(assertedIdentity(["Accept", "x", "X-Spiffe-Id", ID], "x-spiffe-id"), ASSERTED);
  for (const value of [
    `URI=${ID}`,
    `By=spiffe://x;Hash=ab;Subject="CN=a,OU=\\"b;URI=c\\"";URI=${ID};DNS=a`,
    `Hash=ab;uri="${ID}"`,
  ])
    assert.deepEqual(assertedIdentity([XFCC, value], XFCC), ASSERTED, value);
});

test("what says more than one thing is refused, never chosen from", () => {
  for (const raw of [
    [XFCC, `URI=${ID},URI=${ID}`],
    [XFCC, `Hash=ab,URI=${ID}`],
    [XFCC, `URI=${ID};URI=spiffe://other`],
    [XFCC, "Hash=ab"],
    [XFCC, `URI=${ID}`, XFCC, `URI=${ID}`],
    [XFCC, ""],
  ]) {
    assert.throws(() => assertedIdentity(raw, XFCC), { code: "MCP_INVALID_REQUEST" }, raw.join(" "));
  }
  for (const value of ["x".repeat(8_193), "spiffe://\u00fc"])
    assert.throws(() => assertedIdentity(["x-spiffe-id", value], "x-spiffe-id"), { code: "MCP_INVALID_REQUEST" });
});

test("anything is read or refused by its code", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("URI=", "By=", ";", ",", '"', "\\", ID, "x"), { maxLength: 30 }), (parts) => {
      try {
        assertedIdentity([XFCC, parts.join("")], XFCC);
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "MCP_INVALID_REQUEST");
      }
    }),
  );
});

test("the header has a name, and one that agents' requests do not use", () => {
  assert.equal(peerIdentityHeader("X-Forwarded-Client-Cert"), XFCC);
  for (const name of ["", "a b", "authorization", "Mcp-Session-Id", "X-Cmcp-Host-Asserted-Spiffe-Id", "x".repeat(65)])
    assert.throws(() => peerIdentityHeader(name), { code: "CONFIG_INVALID" });
});
