/** Decimal digits without sign, point, exponent, leading or trailing zeros, and the power of ten of the last digit. */
function decimal(text: string): { digits: string; exponent: number } {
  const [mantissa = "", exponentText] = text.replace("-", "").toLowerCase().split(/e(?=[+\-0-9]*$)/);
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const trimmed = digits.replace(/0+$/, "");
  const exponent = Number(exponentText ?? "0") - fraction.length + (digits.length - trimmed.length);
  return trimmed === "" ? { digits: "", exponent: 0 } : { digits: trimmed, exponent };
}

/**
 * True when a JSON number literal and the double it is read as denote the same decimal value, so that
 * what was decided on and what is sent on cannot differ.
 */
export function isExactNumber(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  // String(x) is the shortest text that reads back as x (ECMA-262 Number::toString).
  const exponentForm = literal.replace("-", "");
  if (exponentForm.length > 64) return false;
  const wanted = decimal(literal.replace(/^-/, ""));
  const read = decimal(String(Math.abs(value)));
  return wanted.digits === read.digits && wanted.exponent === read.exponent;
}
