import assert from "node:assert/strict";
import { test } from "node:test";
import { DerReader } from "./der.ts";
import { basicConstraints, extendedKeyUses, isWholeList, keyUses, readExtensions } from "./extension.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const MALFORMED = { code: "EVIDENCE_MALFORMED" };
const der = (tag: number, ...content: readonly number[]): number[] =>
  content.length < 128
    ? [tag, content.length, ...content]
    : [tag, 0x82, content.length >> 8, content.length & 0xff, ...content];

test("extensions are at most 64, each with its criticality and its content, and none twice", () => {
  const extensions = (count: number): DerReader =>
    new DerReader(
      Uint8Array.from(
        der(0x30, ...Array.from({ length: count }, (_, arc) => der(0x30, ...der(6, 0x2a, arc), ...der(4, arc))).flat()),
      ),
      "a sample",
    );
  assert.equal(readExtensions(extensions(64)).size, 64);
  assert.throws(() => readExtensions(extensions(65)), { ...MALFORMED, message: /too many extensions/ });
  const read = (...parts: readonly (readonly number[])[]) =>
    readExtensions(new DerReader(Uint8Array.from(der(0x30, ...der(0x30, ...parts.flat()))), "a sample"));
  const critical = { oid: "1.2.3", critical: true, value: Uint8Array.of(9) };
  assert.deepEqual([...read(der(6, 0x2a, 3), der(1, 0xff), der(4, 9)).values()], [critical]);
  assert.equal(read(der(6, 0x2a, 3), der(1, 0), der(4, 9)).get("1.2.3")?.critical, false);
  assert.throws(() => read(der(6, 0x2a, 3), der(4, 9), der(4, 9)), { ...MALFORMED, message: /bytes too many/ });
});

test("basic constraints are an authority or not, and how many may follow", () => {
  assert.deepEqual(basicConstraints(bytes("3000")), { isCa: false });
  assert.deepEqual(basicConstraints(bytes("30030101ff")), { isCa: true });
  assert.deepEqual(basicConstraints(bytes("30060101ff020103")), { isCa: true, pathLength: 3 });
  assert.deepEqual(basicConstraints(bytes("3003020100")), { isCa: false, pathLength: 0 });
  for (const hex of ["30000500", "30080101ff0201030500", "300302010000", "30030201ff"])
    assert.throws(() => basicConstraints(bytes(hex)), MALFORMED, hex);
});

test("key usage is a bit string of at most nine bits, the first one of the highest bit", () => {
  const uses = (hex: string): string[] => [...keyUses(bytes(hex))];
  assert.deepEqual(uses("03020780"), ["digitalSignature"]);
  assert.deepEqual(uses("03020106"), ["keyCertSign", "cRLSign"]);
  assert.deepEqual(uses("0303070180"), ["encipherOnly", "decipherOnly"]);
  assert.deepEqual(uses("030100"), []);
  assert.deepEqual(uses("030200ff"), [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
  ]);
  for (const hex of ["0300", "03020880", "030400800000", "030207800500", "04020780"])
    assert.throws(() => keyUses(bytes(hex)), MALFORMED, hex);
});

test("a list's distribution point says no more than where the list is", () => {
  for (const hex of ["3000", "3002a000", "3005a003860161"]) assert.equal(isWholeList(bytes(hex)), true, hex);
  // Only user certificates, only authorities' ones, some reasons, an indirect list.
  for (const hex of ["30038101ff", "30038201ff", "300383010f", "30038401ff", "3005a0008101ff"])
    assert.equal(isWholeList(bytes(hex)), false, hex);
  assert.throws(() => isWholeList(bytes("300005")), MALFORMED);
});

test("extended key uses are object identifiers and nothing else", () => {
  assert.deepEqual([...extendedKeyUses(bytes("300706052a03040506"))], ["1.2.3.4.5.6"]);
  assert.deepEqual([...extendedKeyUses(bytes("3000"))], []);
  assert.deepEqual([...extendedKeyUses(bytes("300806022a0306022a04"))], ["1.2.3", "1.2.4"]);
  for (const hex of ["30000500", "30020500", "0500"]) assert.throws(() => extendedKeyUses(bytes(hex)), MALFORMED, hex);
});
