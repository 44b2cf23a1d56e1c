import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import * as fc from "fast-check";
import { SIGNATURE_TYPE } from "./key.ts";
import { formatSignature, MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, parseNote, parseSignatures, signNote } from "./note.ts";
import { isSignedBy, readVerifierKey, verifierKey } from "./verify.ts";

/** The example of C2SP signed-note. */
const KEY = readVerifierKey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
const LINE =
  "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const TEXT = "This is an example message.\n";
const NOTE = `${TEXT}\n${LINE}`;

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const OTHER = verifierKey(
  "example.com/other",
  SIGNATURE_TYPE.ed25519,
  fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? assert.fail(),
);
const signed = (text: string): string => signNote(text, OTHER, (bytes) => sign(null, bytes, privateKey));

const refused = (note: string): void => assert.throws(() => parseNote(note), { code: "NOTE_MALFORMED" }, note);

test("the published note is signed by its key, and by no other", () => {
  const note = parseNote(NOTE);
  assert.equal(note.text, TEXT);
  assert.ok(isSignedBy(note, KEY));
  assert.ok(!isSignedBy(note, OTHER));
  assert.ok(!isSignedBy(note, { ...KEY, name: "example.com/bar" }), "the name is part of which key it is");
  assert.ok(!isSignedBy(note, { ...KEY, id: 1 }), "so is the id");
  assert.ok(!isSignedBy({ ...note, text: "This is another message.\n" }, KEY));
});

test("a note of any text reads as it was written, with what was signed before", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) => !/[^ -\u{10ffff}]/u.test(text));
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
      const text = `${lines.join("\n")}\n`;
      const note = parseNote(signed(text));
      assert.equal(note.text, text);
      assert.ok(isSignedBy(note, OTHER));
      const cosigned = parseNote(`${signed(text)}${LINE}`);
      assert.deepEqual(
        cosigned.signatures.map(({ name }) => name),
        ["example.com/other", "example.com/foo"],
      );
      assert.equal(cosigned.signatures.map(formatSignature).join(""), signed(text).slice(text.length + 1) + LINE);
    }),
  );
});

test("the last empty line ends the text", () => {
  assert.equal(parseNote(signed("a\n\nb\n")).text, "a\n\nb\n");
  assert.equal(parseNote(signed("a\n\n— b\n")).text, "a\n\n— b\n");
});

test("of a key's signatures all must verify", () => {
  const note = parseNote(NOTE + LINE);
  assert.ok(isSignedBy(note, KEY), "the same one again");
  const [first] = note.signatures;
  assert.ok(first !== undefined);
  const wrong = first.signature.map((byte, at) => (at === 63 ? byte ^ 1 : byte));
  assert.ok(!isSignedBy({ ...note, signatures: [first, { ...first, signature: wrong }] }, KEY));
  assert.ok(!isSignedBy({ ...note, signatures: [first, { ...first, signature: first.signature.subarray(1) }] }, KEY));
  assert.ok(!isSignedBy({ ...note, signatures: [] }, KEY));
});

test("what is not exactly a note is refused", () => {
  for (const note of [
    "",
    "\n",
    TEXT,
    `${TEXT}\n`,
    TEXT + LINE,
    `${TEXT}\n${LINE.slice(0, -1)}`,
    `${TEXT}\n${LINE.slice(0, -1)}x`,
    `${TEXT}\n${LINE}\n`,
    `${TEXT}\n${LINE}x\n`,
    `${TEXT}\n- ${LINE.slice(2)}`,
    `${TEXT}\n—${LINE.slice(2)}`,
    `${TEXT}\n${LINE.replace("example.com/foo", "")}`,
    `${TEXT}\n${LINE.replace("example.com/foo", "a+b")}`,
    `${TEXT}\n${LINE.replace("example.com/foo", "a\u00a0b")}`,
    `${TEXT}\n${LINE.replace("example.com/foo", "a b")}`,
    `${TEXT}\n${LINE.replace("\n", " \n")}`,
    `${TEXT}\n${LINE.replace("aQM=", "aQM")}`,
    `${TEXT}\n${LINE.replace("aQM=", "aQN=")}`,
    `${TEXT}\n— example.com/foo\n`,
    `${TEXT}\n— example.com/foo \n`,
    `${TEXT}\n— example.com/foo Uw2QOg==\n`,
    `a\rb\n\n${LINE}`,
    `a\tb\n\n${LINE}`,
    `a\u0000b\n\n${LINE}`,
    `a\ud800b\n\n${LINE}`,
    NOTE.replaceAll("\n", "\r\n"),
  ])
    refused(note);
  assert.equal(parseNote(`${TEXT}\n— example.com/foo Uw2QOgA=\n`).signatures[0]?.signature.length, 1);
});

test("size and number of signatures are bounded", () => {
  const line = LINE.slice(0, -1);
  const most = `${TEXT}\n${`${line}\n`.repeat(MAX_NOTE_SIGNATURES)}`;
  assert.equal(parseNote(most).signatures.length, MAX_NOTE_SIGNATURES);
  refused(most + LINE);
  const room = MAX_NOTE_BYTES - Buffer.byteLength(`\n\n${LINE}`);
  assert.equal(parseNote(`${"a".repeat(room)}\n\n${LINE}`).text.length, room + 1);
  refused(`${"a".repeat(room + 1)}\n\n${LINE}`);
  refused(`${"é".repeat(room / 2 + 1)}\n\n${LINE}`);
  assert.throws(() => parseSignatures(LINE.repeat(MAX_NOTE_SIGNATURES + 1)), { code: "NOTE_MALFORMED" });
  assert.throws(() => parseSignatures(`${"— a".repeat(MAX_NOTE_BYTES)}\n`), { code: "NOTE_MALFORMED" });
  assert.throws(() => parseSignatures(""), { code: "NOTE_MALFORMED" });
});

test("any text is a note or NOTE_MALFORMED, and a note reads in one way", () => {
  const parts = fc.array(fc.constantFrom("a", "\n", "\n\n", "— ", "example.com/foo ", "Uw2QOgA=", "é", "+", "\r"), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        parts.map((all) => all.join("")),
        fc.string({ unit: "binary" }),
      ),
      (text) => {
        try {
          const note = parseNote(text);
          assert.equal(`${note.text}\n${note.signatures.map(formatSignature).join("")}`, text);
        } catch (thrown) {
          assert.equal((thrown as { code?: unknown }).code, "NOTE_MALFORMED");
        }
      },
    ),
    { numRuns: 2000 },
  );
});
