import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isExactNumber } from "./number.ts";

/** numerator / 10^scale, by integer arithmetic only. */
function rational(literal: string): { numerator: bigint; scale: bigint } {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal);
  assert.ok(match !== null, literal);
  const [, sign, whole = "", fraction = "", power = "0"] = match;
  const magnitude = BigInt(whole + fraction);
  const exponent = BigInt(power) - BigInt(fraction.length);
  const signed = sign === "-" ? -magnitude : magnitude;
  return exponent >= 0n ? { numerator: signed * 10n ** exponent, scale: 0n } : { numerator: signed, scale: -exponent };
}

function equalDecimals(left: string, right: string): boolean {
  const a = rational(left);
  const b = rational(right);
  return a.numerator * 10n ** b.scale === b.numerator * 10n ** a.scale;
}

/** The rule, computed the slow way. */
function oracle(literal: string): boolean {
  const value = Number(literal);
  return Number.isFinite(value) && equalDecimals(literal, String(value));
}

const digits = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"), minLength: 1, maxLength });
const literal = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.oneof(
      fc.constant("0"),
      digits(20).map((text) => text.replace(/^0+(?=\d)/, "")),
    ),
    fc.option(digits(20), { nil: undefined }),
    fc.option(fc.tuple(fc.constantFrom("e", "E"), fc.constantFrom("", "+", "-"), fc.nat(330)), { nil: undefined }),
  )
  .map(
    ([sign, whole, fraction, power]) =>
      sign + whole + (fraction === undefined ? "" : `.${fraction}`) + (power === undefined ? "" : power.join("")),
  );

test("holds to exact decimal arithmetic on any literal", () => {
  let exact = 0;
  fc.assert(
    fc.property(literal, (text) => {
      const expected = oracle(text);
      assert.equal(isExactNumber(text), expected, text);
      if (expected) exact += 1;
    }),
    { numRuns: 5000 },
  );
  assert.ok(exact > 500, `${exact} exact literals`);
});

test("every double is exact in each of its usual spellings, and not with a digit added", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      for (const text of [String(value), value.toExponential(), JSON.stringify(value)])
        assert.equal(isExactNumber(text), true, text);
      if (value === 0) return;
      const [mantissa = "", power = ""] = value.toExponential().split("e");
      const changed = `${mantissa}${mantissa.includes(".") ? "" : "."}00000000000000000001e${power}`;
      assert.equal(isExactNumber(changed), false, changed);
    }),
    { numRuns: 2000 },
  );
});

test("an inexact literal would come out as another number", () => {
  for (const text of [
    "9007199254740993",
    "0.1000000000000000055511151231257827",
    "100000000000000000000001",
    "1e309",
    "-1e309",
    "4e-324",
    "1e-324",
  ]) {
    assert.equal(isExactNumber(text), false, text);
  }
  for (const text of [
    "9007199254740992",
    "9007199254740994",
    "0.1",
    "0.10",
    "1e23",
    "100000000000000000000000",
    "5e-324",
    "1.7976931348623157e308",
    "0e999",
    "-0.0",
    "1e-7",
    "0.0000001",
    "10e-8",
  ]) {
    assert.equal(isExactNumber(text), true, text);
  }
});

test("length is bounded before anything else is done", () => {
  assert.equal(isExactNumber(`1.${"0".repeat(62)}`), true);
  assert.equal(isExactNumber(`1.${"0".repeat(63)}`), false);
});
