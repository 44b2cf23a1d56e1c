import assert from "node:assert/strict";
import { test } from "node:test";
import { luhn } from "./check-digits.ts";
import { isPaymentCard } from "./payment-card.ts";

/** A number of so many digits that begins so, and whose check digit holds. */
function numberOf(prefix: number, length: number): number[] {
  const digits = Array.from(`${prefix}${"1".repeat(length - 7)}`, Number);
  const check = Array.from({ length: 10 }, (_, digit) => digit).find((digit) => luhn([...digits, digit]));
  return [...digits, check ?? 0];
}

/** The first and last six digits of the issuers' ranges, and the lengths of their numbers. */
const RANGES: readonly (readonly [from: number, to: number, lengths: readonly number[]])[] = [
  [222_100, 272_099, [16]],
  [300_000, 305_999, [14]],
  [340_000, 349_999, [15]],
  [352_800, 358_999, [16]],
  [360_000, 369_999, [14]],
  [370_000, 379_999, [15]],
  [380_000, 399_999, [14, 16]],
  [400_000, 499_999, [16, 19]],
  [510_000, 559_999, [16]],
  [601_100, 601_199, [16, 19]],
  [620_000, 629_999, [16, 17, 18, 19]],
  [644_000, 659_999, [16, 19]],
];

test("a card has a number of an issuer's range and length", () => {
  const isIssued = (prefix: number, length: number): boolean =>
    RANGES.some(([from, to, lengths]) => prefix >= from && prefix <= to && lengths.includes(length));
  for (const [from, to] of RANGES)
    for (const prefix of [from - 1, from, to, to + 1])
      for (let length = 12; length <= 20; length += 1)
        assert.equal(isPaymentCard(numberOf(prefix, length)), isIssued(prefix, length), `${prefix}, ${length}`);
});
