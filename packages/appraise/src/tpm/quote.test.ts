import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { parseTpmQuote } from "./quote.ts";
import { tpmFile } from "./testing/genuine.ts";
import { sampleAttest, sized, u16 } from "./testing/sample-quote.ts";

const MALFORMED = (message: RegExp) => ({ code: "EVIDENCE_MALFORMED", message });

test("a genuine quote is read field by field", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const quote = parseTpmQuote(tpmFile("azure-trusted-launch-cmcp/quote.msg"));
  assert.equal(toHex(quote.extraData), "0efb4d54837cedf4f66dd77ffcb32a4d4bd315dffd6cbfa5977e4c018c1f372a");
  assert.deepEqual(quote.clockInfo, { clock: 1_755_682n, resetCount: 3, restartCount: 0, safe: true });
  assert.equal(quote.firmwareVersion, 0x2020031200120004n);
  assert.deepEqual(quote.selections, [{ bankId: 0x000b, registers: [0, 1, 2, 3, 4, 5, 6, 7] }]);
  assert.equal(toHex(quote.pcrDigest), "461684441feb67717a22b7f43096ec2f92a6582f5987f82729b3749180fede61");
  assert.deepEqual(
    parseTpmQuote(tpmFile("dstack/tpm_quote_sample.bin")).extraData,
    Uint8Array.of(0x12, 0x34, 0x56, 0x78),
  );
});

test("a quote may come with its length before it", () => {
  const bare = sampleAttest({ extraData: Buffer.from("nonce") });
  assert.deepEqual(parseTpmQuote(sized(bare)), parseTpmQuote(bare));
  assert.throws(() => parseTpmQuote(Buffer.concat([u16(bare.length + 1), bare])), MALFORMED(/magic number/));
});

test("what is no quote of a TPM is refused", () => {
  assert.throws(() => parseTpmQuote(sampleAttest({ magic: 0xff544348 })), MALFORMED(/magic number/));
  // TPM_ST_ATTEST_CERTIFY, whose beginning has the same layout.
  assert.throws(() => parseTpmQuote(sampleAttest({ type: 0x8017 })), MALFORMED(/another kind/));
  assert.throws(() => parseTpmQuote(sampleAttest({ safe: 2 })), MALFORMED(/neither yes nor no/));
  assert.throws(() => parseTpmQuote(sampleAttest({ extraData: Buffer.alloc(67) })), MALFORMED(/a field of 67 bytes/));
  const most = sampleAttest({ selections: Array.from({ length: 16 }, () => [0xb, [0]] as const) });
  assert.equal(parseTpmQuote(most).selections.length, 16);
  const longest = sampleAttest({ extraData: Buffer.alloc(66) });
  assert.equal(parseTpmQuote(longest).extraData.length, 66);
  assert.throws(
    () => parseTpmQuote(sampleAttest({ selections: Array.from({ length: 17 }, () => [0xb, [0]] as const) })),
    MALFORMED(/17 selections/),
  );
  assert.throws(() => parseTpmQuote(Buffer.concat([sampleAttest({}), Buffer.of(0)])), MALFORMED(/bytes too many/));
  assert.throws(() => parseTpmQuote(Buffer.alloc(2049)), MALFORMED(/more than 2048/));
  assert.throws(() => parseTpmQuote(new Uint8Array()), MALFORMED(/truncated/));
  const bitmap = sampleAttest({ selections: [[0xb, [1]]], pcrDigest: Buffer.alloc(0) });
  bitmap[bitmap.length - 6] = 4;
  assert.throws(() => parseTpmQuote(bitmap), MALFORMED(/bitmap of 4 bytes/));
});

test("random bytes and cut or changed quotes are parsed or refused, never anything else", () => {
  const quote = sampleAttest({
    extraData: Buffer.alloc(32, 1),
    selections: [
      [0xb, [0, 7, 23]],
      [0xc, [8]],
    ],
  });
  const settled = (bytes: Uint8Array): void => {
    try {
      assert.ok(parseTpmQuote(bytes).signed.length > 0);
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), settled));
  fc.assert(
    fc.property(
      fc.nat(quote.length - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.nat(quote.length),
      (at, byte, length) => {
        const changed = Uint8Array.from(quote);
        changed[at] = byte;
        settled(changed);
        settled(changed.subarray(0, length));
      },
    ),
  );
});
