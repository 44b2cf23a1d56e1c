import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { describe, test } from "node:test";
import { canonicalBytes, CmcpError, untrusted } from "@cmcp/boundary";
import { SUITES } from "@cmcp/seal";
import * as fc from "fast-check";
import { buildProvision, MAX_PROVISIONED_TOKENS, MAX_PROVISION_BYTES, type Provision } from "./message.ts";
import { newInstanceKey, newProvisioningKey, headerOf } from "./testing/provisioner.ts";
import {
  MAX_STATEMENT_BYTES,
  MAX_VALIDITY_SECONDS,
  openStatement,
  readStatement,
  sealStatement,
  signingInput,
  type SignedProvision,
} from "./statement.ts";

const MESSAGE: Provision = {
  v: 1,
  tokens: [{ principal: "alice", sha256: "ab".repeat(32) }],
  credentials: [{ name: "ledger", value: "a-secret-of-the-ledger" }],
};
const signer = newProvisioningKey();
const instance = newInstanceKey();
const sealed = (changes: Parameters<typeof headerOf>[0] = {}, message = MESSAGE): Uint8Array<ArrayBuffer> =>
  sealStatement(message, headerOf(changes), { recipient: instance.recipient, signer });
const read = (bytes: Uint8Array): SignedProvision => readStatement(untrusted(bytes));
const codeOf = (act: () => unknown): string | null => {
  try {
    act();
    return null;
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError, String(thrown));
    return thrown.code;
  }
};

describe("a statement", () => {
  for (const suite of SUITES)
    test(`of ${suite.kem.name} opens to its message, and shows nothing of it`, () => {
      const own = newInstanceKey(suite);
      const bytes = sealStatement(MESSAGE, headerOf(), { recipient: own.recipient, signer });
      const signed = read(bytes);
      assert.deepEqual(openStatement(signed, own.keyOf), MESSAGE);
      const input = signingInput(signed.statement);
      assert.ok(Buffer.from(input).toString().startsWith('cmcp-provision-v1|{"box":{"ciphertext":'));
      assert.ok(verify(null, input, signer.privateKey, Buffer.from(signed.signature, "base64url")));
      const text = Buffer.from(bytes).toString();
      for (const secret of ["alice", "ab".repeat(32), "ledger"]) assert.ok(!text.includes(secret), secret);
    });

  test("brings a set with its storage key, or the key alone", () => {
    const storage_key = "A".repeat(43);
    for (const message of [
      { ...MESSAGE, storage_key },
      { v: 1 as const, storage_key, provision_hash: `sha256:${"0".repeat(64)}` },
    ]) {
      const bytes = sealStatement(message, headerOf(), { recipient: instance.recipient, signer });
      assert.deepEqual(openStatement(read(bytes), instance.keyOf), message);
      assert.ok(!Buffer.from(bytes).toString().includes(storage_key));
    }
  });

  test("opens for nobody else, in no other statement, and under no other signer", () => {
    const signed = read(sealed());
    const { statement } = signed;
    const other = newInstanceKey(SUITES[0], 8);
    const lifted = read(sealed({ sequence: 2 })).statement.box;
    for (const [what, changed, keyOf] of [
      ["another instance's key", signed, newInstanceKey().keyOf],
      ["an id that is not in use", signed, other.keyOf],
      ["another launch", { ...signed, statement: { ...statement, launch_digest: `sha256:${"2".repeat(64)}` } }],
      ["another instance", { ...signed, statement: { ...statement, instance: "A".repeat(43) } }],
      ["another sequence", { ...signed, statement: { ...statement, sequence: 2 } }],
      ["another time", { ...signed, statement: { ...statement, expires: 2_001 } }],
      ["another begin", { ...signed, statement: { ...statement, not_before: 999 } }],
      ["another purpose", { ...signed, statement: { ...statement, purpose: "other" } }],
      ["another's box", { ...signed, statement: { ...statement, box: lifted } }],
      ["another signer", { ...signed, key: newProvisioningKey().publicKey }],
    ] as const)
      assert.equal(
        codeOf(() => openStatement(changed, keyOf ?? instance.keyOf)),
        "SEAL_NOT_OPENED",
        what,
      );
  });

  test("is read in its one spelling, with its members and no other, each within its bounds", () => {
    const signed = read(sealed());
    const { statement } = signed;
    const isRefused = (value: object, why: string): void =>
      assert.equal(
        codeOf(() => read(canonicalBytes(value))),
        "PROVISION_STATEMENT_MALFORMED",
        why,
      );
    assert.equal(
      codeOf(() => read(Buffer.from(` ${Buffer.from(sealed()).toString()}`))),
      "PROVISION_STATEMENT_MALFORMED",
    );
    assert.equal(
      codeOf(() => read(new Uint8Array(MAX_STATEMENT_BYTES + 1))),
      "PROVISION_STATEMENT_MALFORMED",
    );
    isRefused({ ...signed, more: 1 }, "a member");
    for (const change of [
      { more: 1 },
      { v: 2 },
      { purpose: "" },
      { purpose: "x".repeat(65) },
      { launch_digest: "1".repeat(64) },
      { instance: "A".repeat(42) },
      { sequence: 0 },
      { sequence: 1.5 },
      { not_before: -1 },
      { expires: statement.not_before },
      { expires: statement.not_before + MAX_VALIDITY_SECONDS + 1 },
      { box: { ...statement.box, key_id: 256 } },
      { box: { ...statement.box, enc: "A".repeat(44) } },
      { box: { ...statement.box, ciphertext: "A".repeat(21) } },
      { box: { ...statement.box, more: 1 } },
    ])
      isRefused({ ...signed, statement: { ...statement, ...change } }, JSON.stringify(change).slice(0, 80));
    // The last letter of either has spare bits.
    const [spareKey, spareSignature] = [`${"A".repeat(42)}B`, `${"A".repeat(85)}B`];
    for (const change of [
      { key: "A".repeat(42) },
      { key: spareKey },
      { signature: "A".repeat(85) },
      { signature: spareSignature },
    ])
      isRefused({ ...signed, ...change }, JSON.stringify(change));
    read(sealed({ expires: 1_000 + MAX_VALIDITY_SECONDS }));
  });

  test("is signed and sent as its canonical JSON", () => {
    const bytes = sealed();
    const signed = read(bytes);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(canonicalBytes(signed)));
    const text = `cmcp-provision-v1|${Buffer.from(canonicalBytes(signed.statement)).toString()}`;
    assert.equal(Buffer.from(signingInput(signed.statement)).toString(), text);
    const spaced = {
      ...signed,
      statement: { ...signed.statement, box: { ...signed.statement.box, ciphertext: '"'.repeat(30) } },
    };
    assert.equal(
      codeOf(() => read(canonicalBytes(spaced))),
      "PROVISION_STATEMENT_MALFORMED",
    );
  });

  test("takes the largest message, and is never tokenless", () => {
    const tokens = Array.from({ length: MAX_PROVISIONED_TOKENS }, (_, index) => ({
      principal: "p".repeat(128),
      sha256: index.toString(16).padStart(64, "0"),
    }));
    const large: Provision = { v: 1, tokens };
    assert.ok(buildProvision(large).length < MAX_PROVISION_BYTES);
    assert.deepEqual(openStatement(read(sealed({}, large)), instance.keyOf), large);
    assert.equal(
      codeOf(() => sealed({}, { v: 1, tokens: [], tokenless: true })),
      "CONFIG_INVALID",
    );
    assert.equal(
      codeOf(() => sealed({ sequence: 0 })),
      "CONFIG_INVALID",
    );
  });

  test("of any other bytes is refused, and never by another error", () => {
    const whole = sealed();
    const isMalformed = (bytes: Uint8Array): void =>
      assert.equal(
        codeOf(() => read(bytes)),
        "PROVISION_STATEMENT_MALFORMED",
      );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => isMalformed(whole.subarray(0, length))),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        isMalformed,
      ),
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const code = codeOf(() => {
          const signed = read(whole.with(at, (whole[at] ?? 0) ^ change));
          if (
            !verify(null, signingInput(signed.statement), signer.privateKey, Buffer.from(signed.signature, "base64url"))
          )
            throw new CmcpError("PROVISION_STATEMENT_INVALID", "another signature");
          openStatement(signed, instance.keyOf);
        });
        assert.ok(
          ["PROVISION_STATEMENT_MALFORMED", "PROVISION_STATEMENT_INVALID", "SEAL_NOT_OPENED"].includes(code ?? ""),
          `${at}: ${code}`,
        );
      }),
      { numRuns: 300 },
    );
  });
});
