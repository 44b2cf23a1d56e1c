import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CmcpError, canonicalBytes, untrusted } from "@cmcp/boundary";
import {
  buildProvision,
  buildStatementMessage,
  MAX_PROVISIONED_TOKENS,
  parseProvision,
  parseStatementMessage,
  type Provision,
  type StatementMessage,
} from "./message.ts";

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
        tokens: [
          token,
          { principal: "b", sha256: "cd".repeat(32), workflows: ["settle"] },
          { principal: "b", sha256: "ef".repeat(32) },
        ],
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
    for (const workflows of [[], "default", ["a b"], ["x".repeat(129)], Array.from({ length: 257 }, () => "w")])
      isRefused({ v: 1, tokens: [{ ...token, workflows }] });
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

const KEY = "A".repeat(43);
const HASH = `sha256:${"0".repeat(64)}`;
const parseMessage = (value: object): StatementMessage => parseStatementMessage(untrusted(canonicalBytes(value)));
const isNoMessage = (value: object): void =>
  assert.throws(
    () => parseMessage(value),
    (thrown) =>
      thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID" && thrown.message.startsWith("provision message"),
    JSON.stringify(value),
  );

void describe("the message of a statement", () => {
  void it("is a set, a set with its storage key, or a storage key alone; the host's own message has no key", () => {
    const all: StatementMessage[] = [
      { v: 1, tokens: [token] },
      { v: 1, tokens: [], credentials: [{ name: "ledger", value: "secret" }], storage_key: KEY },
      { v: 1, storage_key: KEY, provision_hash: HASH },
    ];
    for (const message of all) {
      assert.deepEqual(parseStatementMessage(untrusted(buildStatementMessage(message))), message);
      if ("storage_key" in message) isRefused(message);
    }
  });

  void it("is nothing between the three", () => {
    isNoMessage({ v: 1 });
    const alone = { v: 1, storage_key: KEY, provision_hash: HASH };
    isNoMessage({ ...alone, v: 2 });
    isNoMessage({ ...alone, credentials: [{ name: "ledger", value: "secret" }] });
    isNoMessage({ ...alone, tokenless: true });
    isNoMessage({ ...alone, stored: true });
    isNoMessage({ ...alone, tokens: null });
    isNoMessage({ ...alone, tokens: [token] });
    isNoMessage({ v: 1, provision_hash: HASH });
    isNoMessage({ v: 1, storage_key: KEY });
    for (const hash of ["", HASH.slice(0, -1), HASH.replace("sha256", "sha384"), HASH.replace("0", "A"), 1, null])
      isNoMessage({ ...alone, provision_hash: hash });
    isNoMessage({ v: 1, storage_key: KEY, tokens: [token, token] });
    for (const key of ["", "A".repeat(42), "A".repeat(44), `${"A".repeat(42)}B`, "=".repeat(43), 1, null]) {
      isNoMessage({ v: 1, storage_key: key, provision_hash: HASH });
      isNoMessage({ v: 1, tokens: [token], storage_key: key });
    }
  });

  void it("is refused without repeating what it says, whatever the bytes", () => {
    const secret = "not-quite-a-storage-key";
    assert.throws(
      () => parseMessage({ v: 1, storage_key: secret }),
      (thrown) => thrown instanceof CmcpError && !thrown.message.includes(secret),
    );
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        assert.throws(() => parseStatementMessage(untrusted(input)), { code: "CONFIG_INVALID" });
      }),
    );
    const text = fc.string({ minLength: 43, maxLength: 43, unit: fc.constantFrom("A", "B", "z", "0", "-", "_") });
    fc.assert(
      fc.property(text, fc.boolean(), (key, withSet) => {
        const message = {
          v: 1 as const,
          ...(withSet ? { tokens: [token] } : { provision_hash: HASH }),
          storage_key: `${key.slice(0, 42)}A`,
        };
        assert.deepEqual(parseMessage(message), message);
      }),
    );
  });
});
