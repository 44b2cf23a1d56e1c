import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign, verify, webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { canonicalBytes, canonicalText, CmcpError, toBase64Url, untrusted } from "@cmcp/boundary";
import { MAX_NOTICE_BYTES } from "./limits.ts";
import { isNoticeSignedBy, NOTICE_FORMAT, noticeSigningInput, readNotice, type ApprovalNotice } from "./notice.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const { x = "" } = publicKey.export({ format: "jwk" });
const NOTICE: ApprovalNotice = {
  format: NOTICE_FORMAT,
  origin: "gateway.example/1",
  instance: toBase64Url(new Uint8Array(32).fill(2)),
  approval_id: toBase64Url(new Uint8Array(16).fill(1)),
  issued_at: 1_000,
  expires_at: 1_900,
  needed: 2,
  url: "https://approve.example/AQ",
};

function signed(notice: ApprovalNotice): Uint8Array<ArrayBuffer> {
  return canonicalBytes({ notice, signature: toBase64Url(sign(null, noticeSigningInput(notice), privateKey)) });
}
const malformed = { code: "APPROVAL_MALFORMED" } as const;

void describe("a notice", () => {
  void it("reads back as it was signed, and verifies under the key that signed it alone", async () => {
    const { url: _, ...nowhere } = NOTICE;
    const other = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x ?? "";
    for (const notice of [NOTICE, nowhere]) {
      const read = readNotice(untrusted(signed(notice)));
      assert.deepEqual(read.notice, notice);
      assert.equal(await isNoticeSignedBy(webcrypto, x, read), true);
      for (const key of [other, "short"]) assert.equal(await isNoticeSignedBy(webcrypto, key, read), false);
    }
  });

  void it("does not verify once anything of it is changed, nor without its context", async () => {
    const read = readNotice(untrusted(signed(NOTICE)));
    for (const change of [{ needed: 1 }, { url: "https://mallory.example/AQ" }, { expires_at: 1_901 }])
      assert.equal(await isNoticeSignedBy(webcrypto, x, { ...read, notice: { ...NOTICE, ...change } }), false);
    const bare = toBase64Url(sign(null, canonicalBytes(NOTICE), privateKey));
    assert.equal(await isNoticeSignedBy(webcrypto, x, { notice: NOTICE, signature: bare }), false);
  });

  void it("has the members of its form and no others: nothing of a call fits in", () => {
    for (const change of [
      { principal: "agent-1" },
      { target: { method: "tools/call", name: "mail", server: "s" } },
      { arguments: {} },
      { needed: 0 },
      { expires_at: 1_000 },
      { expires_at: 1_000 + 86_401 },
      { approval_id: "short" },
      { url: "u".repeat(1_025) },
    ])
      assert.throws(() => signed({ ...NOTICE, ...change }), malformed, JSON.stringify(change));
  });

  void it("is read in its canonical spelling alone, within its bound", () => {
    const text = new TextDecoder().decode(signed(NOTICE));
    for (const other of [
      ` ${text}`,
      text.replace('"needed":2', '"needed":2.0'),
      " ".repeat(MAX_NOTICE_BYTES) + text,
      "",
    ])
      assert.throws(() => readNotice(untrusted(new TextEncoder().encode(other))), malformed);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.throws(
          () => readNotice(untrusted(bytes)),
          (thrown) => thrown instanceof CmcpError,
        );
      }),
    );
  });

  void it("verifies in the vector by what the page says, body and header each alone", async () => {
    const vector = JSON.parse(await readFile(new URL("../vectors/notice.json", import.meta.url), "utf8")) as {
      readonly signing_key: string;
      readonly whpk: string;
      readonly headers: Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>>;
      readonly body: string;
    };
    const raw = Buffer.from(vector.whpk.replace("whpk_", ""), "base64");
    assert.equal(raw.toString("base64url"), vector.signing_key);
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: vector.signing_key }, format: "jwk" });
    const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": header } = vector.headers;
    const inHeader = (text: string): boolean =>
      verify(null, Buffer.from(`${id}.${at}.${text}`), key, Buffer.from(header.replace("v1a,", ""), "base64"));
    assert.deepEqual([inHeader(vector.body), inHeader(`${vector.body} `)], [true, false]);
    const read = readNotice(untrusted(new TextEncoder().encode(vector.body)));
    assert.equal(read.notice.approval_id, id);
    assert.equal(await isNoticeSignedBy(webcrypto, vector.signing_key, read), true);
    const inBody = Buffer.from(`cmcp-approval-notice-v1|${canonicalText(read.notice)}`);
    assert.ok(verify(null, inBody, key, Buffer.from(read.signature, "base64url")));
  });
});
