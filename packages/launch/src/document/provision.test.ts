import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CmcpError, canonicalBytes, untrusted } from "@cmcp/boundary";
import { buildProvision, MAX_PROVISIONED_PRINCIPALS, parseProvision, type Provision } from "../index.ts";

const principal = { id: "agent-1", token_sha256: "ab".repeat(32), workflows: ["default"] };
const parse = (value: object): Provision => parseProvision(untrusted(canonicalBytes(value)));
const isRefused = (value: object): void => assert.throws(() => parse(value), (thrown) => thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID" && thrown.message.startsWith("provision message"), JSON.stringify(value));

void describe("the provision message", () => {
  void it("reads back as it was built", () => {
    const both: Provision[] = [
      { v: 1, principals: [principal, { id: "b", token_sha256: "cd".repeat(32), workflows: ["default", "claims"] }] },
      { v: 1, principals: [], tokenless: true },
    ];
    for (const provision of both) assert.deepEqual(parseProvision(untrusted(buildProvision(provision))), provision);
  });

  void it("is refused with anything wrong, missing or surplus", () => {
    isRefused({ v: 2, principals: [principal] });
    isRefused({ v: 1 });
    isRefused({ v: 1, principals: [principal], operator: true });
    isRefused({ v: 1, principals: [{ ...principal, token: "plain" }] });
    for (const token_sha256 of ["", "ab", "AB".repeat(32), "zz".repeat(32)]) isRefused({ v: 1, principals: [{ ...principal, token_sha256 }] });
    for (const id of ["", "a b", "a\n", 'a"', "x".repeat(129)]) isRefused({ v: 1, principals: [{ ...principal, id }] });
    for (const workflows of [[], ["a b"], [1], "default"]) isRefused({ v: 1, principals: [{ ...principal, workflows }] });
  });

  void it("names no principal and no token twice", () => {
    isRefused({ v: 1, principals: [principal, { ...principal, token_sha256: "cd".repeat(32) }] });
    isRefused({ v: 1, principals: [principal, { ...principal, id: "other" }] });
  });

  void it("is either tokenless or has principals", () => {
    isRefused({ v: 1, principals: [] });
    isRefused({ v: 1, principals: [principal], tokenless: true });
    isRefused({ v: 1, principals: [], tokenless: false });
  });

  void it("is bounded", () => {
    const many = Array.from({ length: MAX_PROVISIONED_PRINCIPALS + 1 }, (_, index) => ({ id: `p${index}`, token_sha256: index.toString(16).padStart(64, "0"), workflows: ["default"] }));
    isRefused({ v: 1, principals: many });
    parse({ v: 1, principals: many.slice(1) });
  });

  void it("refuses any bytes without repeating what they say", () => {
    const secret = "a-very-secret-token";
    assert.throws(() => parse({ v: 1, principals: [{ ...principal, token_sha256: secret }] }), (thrown) => thrown instanceof CmcpError && !thrown.message.includes(secret));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map((text) => new TextEncoder().encode(text))), (bytes) => {
        assert.throws(() => parseProvision(untrusted(bytes)), { code: "CONFIG_INVALID" });
      }),
    );
  });
});
