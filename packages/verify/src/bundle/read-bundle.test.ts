/** A bundle is read in pieces as it would be read whole, wherever the pieces end. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { auditBundleSchema, bundleHashInput, type AuditBundle } from "@cmcp/audit";
import { canonicalText, parseJson, untrusted } from "@cmcp/boundary";
import { NOTHING_MORE } from "../session/session-facts.ts";
import { recordOf } from "../testing/session.ts";
import { readBundle } from "./read-bundle.ts";

const { bundle } = recordOf();
const utf8 = new TextEncoder();

/** The same bundle, as different writers might write it. */
const TEXTS: readonly string[] = [
  canonicalText(bundle),
  JSON.stringify(bundle),
  JSON.stringify(bundle, null, 2),
  `\n {\t"entries" : [ ${bundle.entries.map((entry) => JSON.stringify(entry, null, 1)).join(" ,\r\n")} ] , "session_id":"${bundle.session_id}","bundle_signature":"${bundle.bundle_signature}"}\n`,
  canonicalText({
    ...bundle,
    entries: bundle.entries.map((entry) => ({ ...entry, tool_name: '"],}\\"entries":[{ä€𝄞' })),
  }),
];

/** What reading it whole gives; `null` if that is refused. */
function whole(bytes: Uint8Array): AuditBundle | null {
  try {
    return (
      auditBundleSchema.safeParse(parseJson(untrusted(bytes), { maxBytes: 1e7, maxDepth: 8, maxItems: 1e6 })).data ??
      null
    );
  } catch {
    return null;
  }
}

async function* piecesOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  // One piece of memory for all, as a reader of files may use.
  const memory = new Uint8Array(bytes.length);
  for (let [at, piece] = [0, 0]; at < bytes.length; piece += 1) {
    const size = Math.min(sizes[piece % sizes.length] ?? 1, bytes.length - at);
    memory.set(bytes.subarray(at, at + size));
    yield await Promise.resolve(memory.subarray(0, size));
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 5 });

test("wherever the pieces end, the entries are those of the whole, and so is their digest", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...TEXTS), sizes, async (text, ends) => {
      const expected = whole(utf8.encode(text));
      assert.ok(expected !== null);
      const digest = new Uint8Array(await webcrypto.subtle.digest("SHA-256", bundleHashInput(expected.entries)));
      const wanted = { numbers: new Set(expected.entries.keys()), calls: true };
      for (const crypto of [nodeCrypto, webcrypto]) {
        const read = await readBundle(crypto, piecesOf(utf8.encode(text), ends), wanted);
        assert.deepEqual([read.sessionId, read.signature], [expected.session_id, expected.bundle_signature]);
        assert.equal(read.session.length, expected.entries.length);
        assert.deepEqual(
          expected.entries.map((_, number) => read.session.at(number)),
          expected.entries,
        );
        assert.deepEqual(read.digest, digest);
      }
    }),
    { numRuns: 60 },
  );
});

test("a text that was changed is refused in pieces exactly if it is refused whole", async () => {
  const change = fc.record({
    at: fc.nat(6_000),
    remove: fc.nat(3),
    insert: fc.constantFrom(
      "",
      "",
      ",",
      "]",
      "[",
      "{",
      "}",
      '"',
      "\\",
      ":",
      " ",
      "null",
      '"entries":[],',
      "[]",
      "\u0000",
      "0",
    ),
  });
  let [same, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...TEXTS),
      fc.array(change, { minLength: 1, maxLength: 2 }),
      sizes,
      async (text, changes, ends) => {
        let changed = text;
        for (const { at, remove, insert } of changes) {
          const place = at % changed.length;
          changed = changed.slice(0, place) + insert + changed.slice(place + remove);
        }
        const bytes = utf8.encode(changed);
        const expected = whole(bytes);
        const read = readBundle(nodeCrypto, piecesOf(bytes, ends), NOTHING_MORE);
        if (expected === null) {
          refused += 1;
          await assert.rejects(read, { code: "BUNDLE_MALFORMED" }, changed.slice(0, 200));
        } else {
          same += 1;
          assert.equal((await read).session.length, expected.entries.length);
        }
      },
    ),
    { numRuns: 1_500 },
  );
  assert.ok(same > 50 && refused > 500, `${same} and ${refused}`);
});

test("forms that only a reader of pieces could mistake are refused", async () => {
  const [first] = bundle.entries;
  const entry = JSON.stringify(first);
  const rest = `"session_id":"${bundle.session_id}","bundle_signature":"${bundle.bundle_signature}"`;
  for (const text of [
    `{${rest}}`,
    `{"entries":[],${rest}}`,
    `{"entries":[ ],${rest}}`,
    `{"entries":[,${entry}],${rest}}`,
    `{"entries":[${entry},],${rest}}`,
    `{"entries":[${entry},,${entry}],${rest}}`,
    `{"entries":[${entry} ${entry}],${rest}}`,
    `{"entries":[${entry}]],${rest}}`,
    `{"entries":[${entry}],"entries":[],${rest}}`,
    `{"entries":[${entry}],"\\u0065ntries":[],${rest}}`,
    `{"entries"::[${entry}],${rest}}`,
    `{"entries" "entries":[${entry}],${rest}}`,
    `{"entries":[${entry}],${rest},"extra":1}`,
    `{"entries":[${entry}],${rest}`,
    `{"entries":[${entry}`,
    `{"entries":[[${entry}]],${rest}}`,
    `{"x":{"entries":[${entry}]},${rest}}`,
    `[{"entries":[${entry}],${rest}}]`,
    `{"entries":{"0":${entry}},${rest}}`,
    `{"entries":"[",${rest}}`,
    `"entries":[${entry}],${rest}`,
    `\uFEFF{"entries":[${entry}],${rest}}`,
    "",
    "[",
  ]) {
    await assert.rejects(readBundle(nodeCrypto, utf8.encode(text), NOTHING_MORE), { code: "BUNDLE_MALFORMED" }, text);
    assert.equal(whole(utf8.encode(text)), null, text);
  }
  // Strict JSON takes this for the same name. A reader of pieces refuses a name that is written with escapes.
  await assert.rejects(readBundle(nodeCrypto, utf8.encode(`{"\\u0065ntries":[${entry}],${rest}}`), NOTHING_MORE), {
    code: "BUNDLE_MALFORMED",
  });
  const plain = `{"entries":[${entry}],${rest}}`;
  assert.equal((await readBundle(nodeCrypto, utf8.encode(plain), NOTHING_MORE)).session.length, 1);
});

test("an entry, and what stands beside the entries, is bounded before it is held", async () => {
  let read = 0;
  const endless = async function* (start: string, more: string): AsyncGenerator<Uint8Array> {
    yield utf8.encode(start);
    for (; read < 5_000_000; read += more.length) yield await Promise.resolve(utf8.encode(more));
  };
  for (const [start, message] of [
    ['{"entries":[{"x":"', /an entry of the audit bundle is larger/],
    ['{"session_id":"', /more beside its entries/],
    ["[[[[", /more beside its entries/],
  ] as const) {
    read = 0;
    await assert.rejects(readBundle(nodeCrypto, endless(start, "x".repeat(10_000)), NOTHING_MORE), {
      code: "BUNDLE_MALFORMED",
      message,
    });
    assert.ok(read < 2_000_000);
  }
});

test("what the source of the bytes throws is thrown on, and is no finding about the bundle", async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(utf8.encode('{"entries":['));
    throw new Error("the disk");
  };
  await assert.rejects(readBundle(nodeCrypto, failing(), NOTHING_MORE), { message: "the disk" });
});
