import { digitsOf, luhn, mod11And10, remainder, verhoeff, weighted } from "./check-digits.ts";

/** A national number: how long, how it is checked, and which words beside it name it. */
export interface NationalNumber {
  readonly kind: string;
  readonly lengths: readonly number[];
  readonly holds: (digits: readonly number[]) => boolean;
  /** Words that stand beside such a number. */
  readonly context: RegExp;
}

const number = (digits: readonly number[], from: number, to: number): number => Number(digits.slice(from, to).join(""));

function isMonthAndDay(month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/** Area, group and serial number as the US Social Security Administration issues them: it has no check digit. */
function isSsn(digits: readonly number[]): boolean {
  const area = number(digits, 0, 3);
  return area > 0 && area !== 666 && area < 900 && number(digits, 3, 5) > 0 && number(digits, 5, 9) > 0;
}

/** Modulus 11 with weights 10 to 2 (NHS Data Dictionary, NHS NUMBER). */
function isNhs(digits: readonly number[]): boolean {
  const check = (11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
  return check === digits[9];
}

/** Identification number of section 139b AO: one digit of the first ten stands there two or three times, the others at most once. */
function isSteuerId(digits: readonly number[]): boolean {
  const counts = new Map<number, number>();
  for (const digit of digits.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const repeated = [...counts.values()].filter((count) => count > 1);
  return digits[0] !== 0 && repeated.length === 1 && (repeated[0] ?? 0) <= 3 && mod11And10(digits);
}

function isPesel(digits: readonly number[]): boolean {
  const month = number(digits, 2, 4) % 20;
  const sum = weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
  return isMonthAndDay(month, number(digits, 4, 6)) && sum % 10 === 0;
}

/** Two check digits modulo 11 (Receita Federal). */
function isCpf(digits: readonly number[]): boolean {
  const check = (weights: readonly number[]): number => ((weighted(digits, weights) * 10) % 11) % 10;
  return (
    new Set(digits).size > 1 &&
    check([10, 9, 8, 7, 6, 5, 4, 3, 2]) === digits[9] &&
    check([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) === digits[10]
  );
}

/** The test of eleven: weights 9 to 2, and -1 for the last digit. */
function isBsn(digits: readonly number[]): boolean {
  return new Set(digits).size > 1 && weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0;
}

/** Date of birth, number and Luhn digit; with the century it has twelve digits, and ten count. */
function isPersonnummer(all: readonly number[]): boolean {
  const digits = all.length === 12 ? all.slice(2) : all;
  const day = number(digits, 4, 6);
  return isMonthAndDay(number(digits, 2, 4), day > 60 ? day - 60 : day) && luhn(digits);
}

/** Registration number of INSEE: the key is 97 less the remainder of the first thirteen digits. */
function isNir(digits: readonly number[]): boolean {
  return (
    (digits[0] === 1 || digits[0] === 2) && 97 - remainder(digits.slice(0, 13).join(""), 97) === number(digits, 13, 15)
  );
}

function isAadhaar(digits: readonly number[]): boolean {
  return (digits[0] ?? 0) > 1 && verhoeff(digits);
}

/** Canada's Social Insurance Number: the first digit names a province. */
function isSin(digits: readonly number[]): boolean {
  return digits[0] !== 0 && digits[0] !== 8 && luhn(digits);
}

/** National numbers of digits alone. Check digits let one of ten or eleven numbers pass, so a word beside it must name it. */
export const NATIONAL_NUMBERS: readonly NationalNumber[] = [
  { kind: "us-ssn", lengths: [9], holds: isSsn, context: /\b(?:ssn|social[ _-]?security)/ },
  { kind: "uk-nhs", lengths: [10], holds: isNhs, context: /\b(?:nhs|national health)/ },
  { kind: "de-steuer-id", lengths: [11], holds: isSteuerId, context: /steuer|\b(?:idnr|tin\b|tax)/ },
  { kind: "pl-pesel", lengths: [11], holds: isPesel, context: /pesel/ },
  { kind: "br-cpf", lengths: [11], holds: isCpf, context: /\bcpf|cadastro/ },
  { kind: "in-aadhaar", lengths: [12], holds: isAadhaar, context: /aadha?ar|\buid(?:ai)?\b/ },
  { kind: "nl-bsn", lengths: [9], holds: isBsn, context: /\bbsn|burgerservice|sofinummer/ },
  { kind: "se-personnummer", lengths: [10, 12], holds: isPersonnummer, context: /person(?:nummer|nr)|\bpnr\b/ },
  { kind: "fr-nir", lengths: [15], holds: isNir, context: /\bnir\b|s[ée]curit[ée] sociale|insee|\bn°? ?ss\b/ },
  { kind: "ca-sin", lengths: [9], holds: isSin, context: /\bsin\b|social insurance/ },
];

const CONTROL_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE";
const DNI = /\b(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]\b/g;
const CODICE_FISCALE = /\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b/g;
const ODD_VALUES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** Spanish DNI or NIE: the letter follows from the number modulo 23. */
export function isDni(text: string): boolean {
  const compact = text.replaceAll("-", "");
  const digits = compact.slice(0, -1).replace(/^[XYZ]/, (letter) => String("XYZ".indexOf(letter)));
  return CONTROL_LETTERS.charAt(Number(digits) % 23) === compact.at(-1);
}

/** Italian codice fiscale: sixteen characters, the last follows from the others (decree of 23 December 1976). */
export function isCodiceFiscale(code: string): boolean {
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const unit = code.charCodeAt(at);
    const value = unit < 0x41 ? unit - 0x30 : unit - 0x41;
    sum += at % 2 === 0 ? (ODD_VALUES[value] ?? 0) : value;
  }
  return sum % 26 === code.charCodeAt(15) - 0x41;
}

/** Numbers with letters, whose form and check letter need no word beside them. */
export function findLetteredNumbers(text: string): { readonly kind: string; readonly value: string }[] {
  const matching = (kind: string, pattern: RegExp, holds: (value: string) => boolean) =>
    Array.from(text.matchAll(pattern), ([value]) => ({ kind, value })).filter(({ value }) => holds(value));
  return [...matching("es-dni", DNI, isDni), ...matching("it-codice-fiscale", CODICE_FISCALE, isCodiceFiscale)];
}

/** The number kinds that fit these digits and the words about them. */
export function nationalKinds(text: string, context: string): string[] {
  const digits = digitsOf(text);
  return NATIONAL_NUMBERS.filter(
    ({ lengths, holds, context: words }) => lengths.includes(digits.length) && words.test(context) && holds(digits),
  ).map(({ kind }) => kind);
}
