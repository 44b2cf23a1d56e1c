import { luhn } from "./check-digits.ts";

/** First digits of card numbers and how long such numbers are (ISO/IEC 7812-1; the issuers' published ranges). */
const ISSUERS: readonly { readonly from: number; readonly to: number; readonly lengths: readonly number[] }[] = [
  { from: 400000, to: 499999, lengths: [16, 19] },
  { from: 510000, to: 559999, lengths: [16] },
  { from: 222100, to: 272099, lengths: [16] },
  { from: 340000, to: 349999, lengths: [15] },
  { from: 370000, to: 379999, lengths: [15] },
  { from: 601100, to: 601199, lengths: [16, 19] },
  { from: 644000, to: 659999, lengths: [16, 19] },
  { from: 300000, to: 305999, lengths: [14] },
  { from: 360000, to: 369999, lengths: [14] },
  { from: 380000, to: 399999, lengths: [14, 16] },
  { from: 352800, to: 358999, lengths: [16] },
  { from: 620000, to: 629999, lengths: [16, 17, 18, 19] },
];

/** Whether the digits are those of a payment card: an issuer's range, its length, the check digit, more than one digit. */
export function isPaymentCard(digits: readonly number[]): boolean {
  const prefix = Number(digits.slice(0, 6).join(""));
  const issued = ISSUERS.some(
    ({ from, to, lengths }) => prefix >= from && prefix <= to && lengths.includes(digits.length),
  );
  return issued && new Set(digits).size > 1 && luhn(digits);
}
