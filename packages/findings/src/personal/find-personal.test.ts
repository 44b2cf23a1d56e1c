import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as assertProperty, array, nat, property } from "fast-check";
import { Tally, type Findings } from "../findings.ts";
import { verhoeff } from "./check-digits.ts";
import { findPersonal } from "./find-personal.ts";

function found(text: string): Findings {
  const tally = new Tally();
  findPersonal(text, tally);
  return tally.findings(true);
}

/** Numbers that the issuers publish as examples or that only fit the algorithm, each beside the same with a wrong digit. */
const NUMBERS: readonly (readonly [kind: string, right: string, wrong: string])[] = [
  ["payment-card", "pay 4111 1111 1111 1111 now", "pay 4111 1111 1111 1112 now"],
  ["payment-card", "378282246310005", "378282246310006"],
  ["payment-card", "5555-5555-5555-4444", "5555-5555-5555-4445"],
  ["iban", "to DE89 3704 0044 0532 0130 00 by Friday", "to DE89 3704 0044 0532 0130 01 by Friday"],
  ["iban", "GB82WEST12345698765432", "GB82WEST12345698765433"],
  ["us-ssn", "SSN: 219-09-9999", "SSN: 666-09-9999"],
  ["uk-nhs", "NHS number 943 476 5919", "NHS number 943 476 5918"],
  ["de-steuer-id", "Steuer-ID 86 095 742 719", "Steuer-ID 86 095 742 718"],
  ["es-dni", "DNI 12345678Z", "DNI 12345678A"],
  ["es-dni", "NIE X1234567L", "NIE X1234567M"],
  ["it-codice-fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562T"],
  ["pl-pesel", "PESEL 44051401359", "PESEL 44051401358"],
  ["br-cpf", "CPF 529.982.247-25", "CPF 529.982.247-26"],
  ["in-aadhaar", "Aadhaar 2341 2341 2346", "Aadhaar 2341 2341 2347"],
  ["nl-bsn", "BSN 111222333", "BSN 111222334"],
  ["se-personnummer", "personnummer 811218-9876", "personnummer 811218-9877"],
  ["fr-nir", "NIR 2 55 08 14 168 025 38", "NIR 2 55 08 14 168 025 39"],
  ["ca-sin", "SIN 130 692 544", "SIN 130 692 545"],
];

for (const [kind, right, wrong] of NUMBERS) {
  test(`${kind}: ${right}`, () => {
    assert.deepEqual(found(right).kinds, [`personal:${kind}`]);
    assert.equal(found(right).personalData, 1);
  });
  test(`${kind} with a wrong digit is none: ${wrong}`, () => {
    assert.ok(!found(wrong).kinds.includes(`personal:${kind}`));
  });
}

test("national numbers and medical records need a word beside them", () => {
  for (const number of ["219-09-9999", "943 476 5919", "44051401359", "111222333"])
    assert.equal(found(number).personalData, 0);
  assert.deepEqual(found("MRN 00482917").kinds, ["personal:medical-record"]);
  assert.equal(found("order 00482917").personalData, 0);
});

test("digits of an identifier, a digest, a decimal or a long number are no card", () => {
  for (const text of [
    "ref4111111111111111",
    "4111111111111111a",
    "4.111111111111111",
    "4111111111111111".repeat(4),
    "0000000000000000",
  ])
    assert.equal(found(text).personalData, 0, text);
});

test("addresses and telephone numbers are contacts, and no personal data", () => {
  const findings = found("Write to anna.b+x@mail.example or call +49 30 901820, tel 030 12345678.");
  assert.deepEqual(findings.kinds, ["contact:email", "contact:telephone"]);
  assert.equal(findings.contacts, 3);
  assert.equal(findings.personalData, 0);
  assert.deepEqual(found("a @ b, @decorator, x@y, version 1.2.3.4.5").kinds, []);
});

test("a word names a number from 48 characters before it to 24 after it", () => {
  const kinds = (text: string): readonly string[] => found(text).kinds;
  const record = ["personal:medical-record"];
  assert.deepEqual(kinds(`mrn${" ".repeat(45)}12482917`), record);
  assert.deepEqual(kinds(`mrn${" ".repeat(46)}12482917`), []);
  assert.deepEqual(kinds(`12482917${" ".repeat(21)}mrn`), record);
  assert.deepEqual(kinds(`12482917${" ".repeat(22)}mrn`), []);
});

test("a number has 8 digits at least and 32 characters at most, and a telephone number 15 digits", () => {
  const kinds = (text: string): readonly string[] => found(text).kinds;
  for (const [digits, expected] of [
    [7, []],
    [8, ["personal:medical-record"]],
    [32, ["personal:medical-record"]],
    [33, []],
  ] as const)
    assert.deepEqual(kinds(`MRN ${"1".repeat(digits)}`), expected, String(digits));
  for (const [text, expected] of [
    [`+${"1".repeat(8)}`, ["contact:telephone"]],
    [`+${"1".repeat(15)}`, ["contact:telephone"]],
    [`+${"1".repeat(16)}`, []],
    [`00${"1".repeat(13)}`, ["contact:telephone"]],
    [`tel ${"1".repeat(15)}`, ["contact:telephone"]],
    [`tel ${"1".repeat(16)}`, []],
    ["12345678", []],
  ] as const)
    assert.deepEqual(kinds(text), expected, text);
});

test("Verhoeff finds every exchange of neighbours", () => {
  assertProperty(
    property(array(nat(9), { minLength: 11, maxLength: 11 }), nat(9), (digits, at) => {
      const check = Array.from({ length: 10 }, (_, digit) => digit).find((digit) => verhoeff([...digits, digit]));
      assert.ok(check !== undefined);
      const changed = [...digits, check];
      [changed[at], changed[at + 1]] = [changed[at + 1] ?? 0, changed[at] ?? 0];
      assert.equal(verhoeff(changed), changed[at] === changed[at + 1]);
    }),
  );
});
