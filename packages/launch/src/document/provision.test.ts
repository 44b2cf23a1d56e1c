import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CmcpError, canonicalBytes, untrusted } from "@cmcp/boundary";
import { buildProvision, MAX_PROVISIONED_TOKENS, parseProvision, type Provision } from "../index.ts";

const token = { principal: "agent-1", sha256: "ab".repeat(32) };
const parse = (value: object): Provision => parseProvision(untrusted(canonicalBytes(value)));
const isRefused = (value: object): void =>
  assert.throws(
    () => parse(value),
    (thrown) =>
      thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID" && thrown.message.startsWith("provision message"),
    JSON.stringify(value),
  );

void describe("the provision message", () => {
  void it("reads back as it was built: tokens of several principals, several of one, none at all", () => {
    const all: Provision[] = [
      {
        v: 1,
        tokens: [token, { principal: "b", sha256: "cd".repeat(32) }, { principal: "b", sha256: "ef".repeat(32) }],
      },
      { v: 1, tokens: [] },
      { v: 1, tokens: [], tokenless: true },
    ];
    for (const provision of all) assert.deepEqual(parseProvision(untrusted(buildProvision(provision))), provision);
  });

  void it("is refused with anything wrong, missing or surplus", () => {
    isRefused({ v: 2, tokens: [token] });
    isRefused({ v: 1 });
    isRefused({ v: 1, tokens: [token], operator: true });
    isRefused({ v: 1, tokens: [{ ...token, token: "plain" }] });
    isRefused({ v: 1, tokens: [{ ...token, workflows: ["default"] }] });
    for (const sha256 of ["", "ab", "AB".repeat(32), "zz".repeat(32)])
      isRefused({ v: 1, tokens: [{ ...token, sha256 }] });
    for (const principal of ["", "a b", "a\n", 'a"', "x".repeat(129)])
      isRefused({ v: 1, tokens: [{ ...token, principal }] });
  });

  void it("names no token twice", () => {
    isRefused({ v: 1, tokens: [token, { ...token, principal: "other" }] });
    isRefused({ v: 1, tokens: [token, token] });
  });

  void it("is never tokenless beside tokens", () => {
    isRefused({ v: 1, tokens: [token], tokenless: true });
    isRefused({ v: 1, tokens: [], tokenless: false });
  });

  void it("is bounded", () => {
    const many = Array.from({ length: MAX_PROVISIONED_TOKENS + 1 }, (_, index) => ({
      principal: `p${index}`,
      sha256: index.toString(16).padStart(64, "0"),
    }));
    isRefused({ v: 1, tokens: many });
    parse({ v: 1, tokens: many.slice(1) });
  });

  void it("refuses any bytes without repeating what they say", () => {
    const secret = "a-very-secret-token";
    assert.throws(
      () => parse({ v: 1, tokens: [{ ...token, sha256: secret }] }),
      (thrown) => thrown instanceof CmcpError && !thrown.message.includes(secret),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          assert.throws(() => parseProvision(untrusted(bytes)), { code: "CONFIG_INVALID" });
        },
      ),
    );
  });
});
