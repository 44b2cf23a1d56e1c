import assert from "node:assert/strict";
import { test } from "node:test";
import { findIbans, isIban } from "./iban.ts";

/** Examples of the registry (ISO 13616), and of other lengths. */
const EXAMPLES = [
  "NO9386011117947",
  "BE68539007547034",
  "NL91ABNA0417164300",
  "AT611904300234573201",
  "CH9300762011623852957",
  "DE89370400440532013000",
  "ES9121000418450200051332",
  "PT50000201231234567890154",
  "FR1420041010050500013M02606",
  "HU42117730161111101800000000",
  "MT84MALT011000012345MTLCAST001S",
];

test("an IBAN has its country's length and its check digits", () => {
  for (const iban of EXAMPLES) {
    assert.equal(isIban(iban), true, iban);
    assert.deepEqual(findIbans(`to ${iban}, please`), [iban]);
    assert.deepEqual(findIbans(`to ${iban.replace(/.{4}/g, "$& ").trim()}.`), [iban]);
    assert.equal(isIban(`${iban}0`), false, "longer");
    for (let length = 4; length < iban.length; length += 1)
      assert.deepEqual(findIbans(iban.slice(0, length)), [], "shorter");
    const digits = Number(iban.slice(2, 4));
    for (const other of [digits - 1, digits + 1])
      assert.equal(isIban(`${iban.slice(0, 2)}${String(other).padStart(2, "0")}${iban.slice(4)}`), false, iban);
  }
  assert.deepEqual(findIbans("XX89370400440532013000"), []);
});

test("a word that follows an IBAN is no part of it", () => {
  assert.deepEqual(findIbans("DE89 3704 0044 0532 0130 00 EUR"), ["DE89370400440532013000"]);
});
