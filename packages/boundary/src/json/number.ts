const LITERAL = /^-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

/** Longer literals are refused: no double needs them, and what follows is not linear in their length. */
const MAX_LITERAL = 64;

/** A number's magnitude as `digits` × 10^`exponent`, without leading or trailing zeros; zero has no digits. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

function decimal(literal: string): Decimal {
  const [, whole = "", fraction = "", power = "0"] = LITERAL.exec(literal) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const trimmed = digits.replace(/0+$/, "");
  if (trimmed === "") return { digits: "", exponent: 0 };
  return { digits: trimmed, exponent: Number(power) - fraction.length + (digits.length - trimmed.length) };
}

/**
 * True when a JSON number literal denotes the same decimal value as the shortest text of the double it is read as
 * (ECMA-262 Number::toString, which RFC 8785 writes). So what was decided on and what is sent on cannot differ.
 * Literals longer than 64 characters are never exact.
 */
export function isExactNumber(literal: string): boolean {
  if (literal.length > MAX_LITERAL) return false;
  const wanted = decimal(literal);
  // A literal beyond the range reads as "Infinity", which has no digits; only zeros have none either, and they are in
  // range.
  const read = decimal(String(Number(literal)));
  return wanted.digits === read.digits && wanted.exponent === read.exponent;
}
