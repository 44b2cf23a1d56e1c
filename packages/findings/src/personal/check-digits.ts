/** Digits of a text as numbers; anything else is left out. */
export function digitsOf(text: string): number[] {
  const digits: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit >= 0 && digit <= 9) digits.push(digit);
  }
  return digits;
}

/** The sum of digits times weights. */
export function weighted(digits: readonly number[], weights: readonly number[]): number {
  return weights.reduce((sum, weight, at) => sum + weight * (digits[at] ?? 0), 0);
}

/** The Luhn algorithm (ISO/IEC 7812-1, annex B). */
export function luhn(digits: readonly number[]): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits[digits.length - 1 - at] ?? 0;
    const doubled = at % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** ISO 7064, MOD 11,10: the last digit checks the others. */
export function mod11And10(digits: readonly number[]): boolean {
  let product = 10;
  for (const digit of digits.slice(0, -1)) {
    const sum = (digit + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === digits.at(-1);
}

/** The remainder of a long number, given as decimal digits. */
export function remainder(digits: string, divisor: number): number {
  let rest = 0;
  for (let at = 0; at < digits.length; at += 1) rest = (rest * 10 + digits.charCodeAt(at) - 0x30) % divisor;
  return rest;
}

/** Multiplication in the dihedral group of order 10: rotations are 0 to 4, reflections 5 to 9. */
function dihedral(left: number, right: number): number {
  const a = left % 5;
  const b = right % 5;
  if (left < 5) return right < 5 ? (a + b) % 5 : 5 + ((a + b) % 5);
  return right < 5 ? 5 + ((a - b + 5) % 5) : (a - b + 5) % 5;
}

const PERMUTED = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/** The algorithm of Verhoeff (1969): every exchange of neighbours is found. */
export function verhoeff(digits: readonly number[]): boolean {
  let check = 0;
  for (let at = 0; at < digits.length; at += 1) {
    let digit = digits[digits.length - 1 - at] ?? 0;
    for (let times = at % 8; times > 0; times -= 1) digit = PERMUTED[digit] ?? 0;
    check = dihedral(check, digit);
  }
  return check === 0;
}
